"""Predictions at new inputs from draws or from minima, and how good they are."""

from bayescape.predict.batched_model import to_gpytorch
from bayescape.predict.compare import compare
from bayescape.predict.ensembles import ensemble_temperature, ensemble_weights
from bayescape.predict.gain import ensemble_gain
from bayescape.predict.perturb import perturb
from bayescape.predict.predict import predict
from bayescape.predict.predictions import Predictions

__all__ = [
    "Predictions",
    "compare",
    "ensemble_gain",
    "ensemble_temperature",
    "ensemble_weights",
    "perturb",
    "predict",
    "to_gpytorch",
]
