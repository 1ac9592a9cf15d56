import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescape.plots.comparison import plot_comparison
from bayescape.predict.compare import compare


@pytest.fixture
def frame(four, make_posterior):
    rng = np.random.default_rng(6)
    x = rng.uniform(0, 10, 30)
    good = four.minima["theta"] * 0.1 + np.array([1.5, 0.0])
    landscape = dataclasses.replace(four, minima=four.minima.assign(theta=good))
    posterior = make_posterior(landscape, spread=0.05)
    return compare(landscape, posterior, x, 1.5 * x + rng.normal(0, 1, 30))


def marks(ax, gain):
    return {
        line.get_label().removeprefix(f"_{gain} "): (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_label().startswith(f"_{gain} ")
    }


@pytest.mark.parametrize(
    ("panel", "gain", "score"),
    [
        (0, "improvement_rmse_percent", "rmse"),
        (1, "improvement_nlpd", "nlpd"),
        (2, "improvement_crps_percent", "crps"),
    ],
)
def test_panels_show_the_improvements_and_the_scores(frame, picture, panel, gain, score):
    ax = picture(plot_comparison(frame)).axes[panel]
    drawn = marks(ax, gain)
    assert set(drawn) == set(frame.index)
    for row, label in enumerate(frame.index):
        assert drawn[label] == (pytest.approx(frame.loc[label, gain]), row)
    numbers = [text.get_text() for text in ax.texts]
    assert [f"{value:.4g}" for value in frame[score]] == numbers[: len(frame)]
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_alpha() == 0.5]
    half = [np.ptp(bar.get_xdata()) / 2 for bar in bars]
    np.testing.assert_allclose(half, 2 * frame[f"{gain}_se"], atol=1e-12)


def test_predictors_are_named_from_the_top(frame):
    ax = plot_comparison(frame).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(frame.index)
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_coverage_is_in_per_cent_beside_its_nominal_value(frame):
    ax = plot_comparison(frame).axes[3]
    for percent in (50, 90, 95):
        (dots,) = [line for line in ax.lines if line.get_label() == f"_coverage {percent}"]
        np.testing.assert_allclose(dots.get_xdata(), 100 * frame[f"coverage_{percent}"])
        assert any(np.array_equal(line.get_xdata(), [percent] * 2) for line in ax.lines)


def test_a_table_read_from_a_file_gives_the_same_picture(frame, tmp_path):
    frame.to_csv(tmp_path / "comparison.csv")
    read = pd.read_csv(tmp_path / "comparison.csv", index_col="predictor")
    before, after = plot_comparison(frame).axes, plot_comparison(read).axes
    for a, b in zip(before, after, strict=True):
        assert len(a.lines) == len(b.lines)
        for x, y in zip(a.lines, b.lines, strict=True):
            np.testing.assert_allclose(x.get_xdata(), y.get_xdata())


def test_equal_predictors_and_missing_errors_can_be_drawn(frame, picture):
    same = pd.concat([frame.iloc[:1]] * 4)
    same.index = frame.index[:4]
    picture(plot_comparison(same))
    picture(plot_comparison(frame.drop(columns=[c for c in frame if c.endswith("_se")])))
    picture(plot_comparison(frame.assign(improvement_rmse_percent=np.nan)))


def test_another_table_is_refused(frame):
    with pytest.raises(ValueError, match=r"no columns \['crps'\]"):
        plot_comparison(frame.drop(columns="crps"))
