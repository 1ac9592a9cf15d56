"""What a study is said to have found."""

import dataclasses

import pytest

from bayescape.study.verdict import reach_verdict


def answers(study):
    verdict = reach_verdict(study)
    return verdict, {answer.question.split()[0]: answer for answer in verdict.answers}


def test_one_basin_is_said_plainly(make_study):
    verdict, by = answers(make_study([0.0], [1.0]))
    assert verdict.headline == "There is one basin, and a single optimum is at its bottom."
    assert verdict.reliable
    assert by["How"].short == "One"
    assert "0.990" in by["How"].text
    assert by["Is"].question == "Is the result reliable?"
    assert by["What"].short == "Not measured"
    assert "--test 0.2" in by["What"].text


def test_shared_posteriors_say_what_one_optimum_leaves_out(make_study):
    verdict = reach_verdict(make_study([0.0, 0.8, 1.3], [0.54, 0.4, 0.06]))
    assert verdict.headline.startswith("3 basins share the posterior")
    assert "leave out 46%" in verdict.headline
    single = verdict.answers[1]
    assert single.short == "No"
    assert "54.0%" in single.text
    assert "± 1.0%" in single.text
    assert "higher but wider" not in single.text


def test_a_higher_and_wider_minimum_is_named(make_study):
    single = reach_verdict(make_study([0.0, 0.8], [0.3, 0.7])).answers[1]
    assert "Minimum 1 is higher but wider: it holds the most, 70%." in single.text


def test_a_dominant_basin_is_safe(make_study):
    verdict = reach_verdict(make_study([0.0, 5.0], [0.995, 0.005]))
    assert "a single optimum is safe" in verdict.headline
    assert verdict.answers[0].short == "2, of which 1 matters"
    assert verdict.answers[1].short == "Yes"


def test_an_unreliable_result_says_so_first(make_study):
    study = make_study([0.0], [1.0], reliable=0, warnings=["Pareto k is 1.2."])
    verdict = reach_verdict(study)
    assert not verdict.reliable
    assert "did not pass every check" in verdict.headline
    assert verdict.answers[3].short == "With care"
    assert "Pareto k is 1.2." in verdict.answers[3].text


def test_warnings_of_the_map_are_repeated(make_study):
    study = make_study([0.0, 1.0], [0.5, 0.5])
    landscape = dataclasses.replace(study.fit.landscape, warnings=("The map is torn.",))
    study = dataclasses.replace(study, fit=dataclasses.replace(study.fit, landscape=landscape))
    assert "The map is torn." in reach_verdict(study).answers[3].text


@pytest.mark.parametrize(
    ("gain", "error", "short"),
    [
        (0.5, 0.1, "Better predictions"),
        (-0.5, 0.1, "Worse predictions"),
        (0.15, 0.1, "Not clearly anything here"),
        (0.5, float("nan"), "Not clearly anything here"),
    ],
)
def test_a_gain_is_one_past_two_standard_errors(make_study, gain, error, short):
    answer = reach_verdict(make_study([0.0, 1.0], [0.5, 0.5], gain=gain, error=error)).answers[4]
    assert answer.short == short
    assert ("chance" in answer.text) == (short == "Not clearly anything here")


def test_one_minimum_has_no_ensemble(make_study):
    answer = reach_verdict(make_study([0.0], [1.0], gain=0.0)).answers[4]
    assert answer.short == "Nothing to gain"


def test_a_second_fit_is_mentioned_only_when_there_was_one(make_study):
    for refitted in (True, False):
        study = make_study([0.0, 1.0], [0.5, 0.5], gain=0.5, refitted=refitted)
        assert study.refitted == refitted
        assert ("second map" in reach_verdict(study).answers[4].text) == refitted
