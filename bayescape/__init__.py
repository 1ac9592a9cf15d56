"""Map a posterior's landscape before sampling it, and let the map choose the sampler.

Nothing but the public names; see the documentation's reference for what each is.
"""

from bayescape import kernels
from bayescape.explore import continue_minima, explore
from bayescape.landscape.continuation import Continuation, load_continuation
from bayescape.landscape.record import Landscape, load_landscape
from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.plots import (
    plot_comparison,
    plot_continuation,
    plot_disconnectivity,
    plot_heat_capacity,
    plot_marginals,
    plot_pair,
    plot_predictions,
)
from bayescape.predict import (
    compare,
    ensemble_gain,
    ensemble_temperature,
    ensemble_weights,
    predict,
)
from bayescape.sample import Decision, Superposition, SuperpositionJump, decide, sample
from bayescape.targets import GaussianProcess, Target

__version__ = "0.1.0"

__all__ = [
    "Continuation",
    "Decision",
    "GaussianProcess",
    "Landscape",
    "Superposition",
    "SuperpositionJump",
    "Target",
    "compare",
    "continue_minima",
    "decide",
    "ensemble_gain",
    "ensemble_temperature",
    "ensemble_weights",
    "explore",
    "kernels",
    "load_continuation",
    "load_landscape",
    "plot_comparison",
    "plot_continuation",
    "plot_disconnectivity",
    "plot_heat_capacity",
    "plot_marginals",
    "plot_pair",
    "plot_predictions",
    "predict",
    "sample",
    "thermodynamics",
]
