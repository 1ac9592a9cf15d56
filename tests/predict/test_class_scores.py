"""Scores of class probabilities against scikit-learn's, and against the definition."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from bayescape.predict.class_scores import area_under_curve, calibration_error, class_scores


@pytest.fixture(params=[2, 3])
def given(request):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(request.param), size=(4, 80)).round(2)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities, rng.integers(request.param, size=80)


def test_scores_are_those_of_scikit_learn(given):
    probabilities, answers = given
    found = class_scores(probabilities, answers)
    for i, p in enumerate(probabilities):
        two = p.shape[1] == 2
        expected = roc_auc_score(answers, p[:, 1] if two else p, multi_class="ovr")
        assert found["auc"][i] == pytest.approx(expected)
        if (p > 0).all():
            assert found["log_loss"][i] == pytest.approx(log_loss(answers, p))
        assert found["accuracy"][i] == (p.argmax(axis=1) == answers).mean()


def test_calibration_error_is_its_definition(given):
    probabilities, answers = given
    for p, error in zip(probabilities, calibration_error(probabilities, answers), strict=True):
        claimed, right = p.max(axis=1), p.argmax(axis=1) == answers
        expected = 0.0
        for k in range(10):
            inside = (claimed >= k / 10) & ((claimed < (k + 1) / 10) | (k == 9))
            if inside.any():
                expected += inside.mean() * abs(claimed[inside].mean() - right[inside].mean())
        assert error == pytest.approx(expected)


def test_classes_without_rows_are_left_out_of_the_area():
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=30)
    answers = np.arange(30) % 2
    each = [roc_auc_score(answers == c, p[:, c]) for c in (0, 1)]
    assert area_under_curve(p, answers) == pytest.approx(np.mean(each))
    assert np.isnan(area_under_curve(p, np.zeros(30, int)))
