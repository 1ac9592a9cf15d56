"""Predictions at new inputs from draws or from minima, and how good they are."""

from bayescape.predict.batched_model import to_gpytorch
from bayescape.predict.classifiers import compare_classifiers, error_disagreement
from bayescape.predict.compare import compare
from bayescape.predict.ensembles import ensemble_temperature, ensemble_weights
from bayescape.predict.gain import ensemble_gain
from bayescape.predict.perturb import perturb
from bayescape.predict.predict import predict
from bayescape.predict.predictions import Predictions

__all__ = [
    "Predictions",
    "compare",
    "compare_classifiers",
    "ensemble_gain",
    "ensemble_temperature",
    "ensemble_weights",
    "error_disagreement",
    "perturb",
    "predict",
    "to_gpytorch",
]
