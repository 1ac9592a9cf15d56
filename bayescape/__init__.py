"""Map a posterior's landscape before sampling it, and let the map choose the sampler.

Nothing but the public names; see the documentation's reference for what each is.
"""

from typing import TYPE_CHECKING, Any

from bayescape import kernels
from bayescape.explore import continue_minima, explore
from bayescape.landscape.conserved import Conserved, conserved
from bayescape.landscape.continuation import Continuation, load_continuation
from bayescape.landscape.record import Landscape, load_landscape
from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.plots import (
    plot_comparison,
    plot_continuation,
    plot_disconnectivity,
    plot_heat_capacity,
    plot_marginals,
    plot_network,
    plot_pair,
    plot_predictions,
)
from bayescape.predict import (
    compare,
    compare_classifiers,
    ensemble_gain,
    ensemble_temperature,
    ensemble_weights,
    error_disagreement,
    perturb,
    predict,
    to_gpytorch,
)
from bayescape.sample import (
    Decision,
    Superposition,
    SuperpositionJump,
    decide,
    load_posterior,
    sample,
)
from bayescape.targets import (
    Equivalence,
    Exchange,
    GaussianProcess,
    NetworkLoss,
    Target,
    from_gpytorch,
    from_numpy,
    from_pymc,
    from_torch,
)

if TYPE_CHECKING:
    from bayescape.study.regressor import LandscapeGPRegressor

__version__ = "0.1.0"

__all__ = [
    "Conserved",
    "Continuation",
    "Decision",
    "Equivalence",
    "Exchange",
    "GaussianProcess",
    "Landscape",
    "LandscapeGPRegressor",
    "NetworkLoss",
    "Superposition",
    "SuperpositionJump",
    "Target",
    "compare",
    "compare_classifiers",
    "conserved",
    "continue_minima",
    "decide",
    "ensemble_gain",
    "ensemble_temperature",
    "ensemble_weights",
    "error_disagreement",
    "explore",
    "from_gpytorch",
    "from_numpy",
    "from_pymc",
    "from_torch",
    "kernels",
    "load_continuation",
    "load_landscape",
    "load_posterior",
    "perturb",
    "plot_comparison",
    "plot_continuation",
    "plot_disconnectivity",
    "plot_heat_capacity",
    "plot_marginals",
    "plot_network",
    "plot_pair",
    "plot_predictions",
    "predict",
    "sample",
    "thermodynamics",
    "to_gpytorch",
]


def __getattr__(name: str) -> Any:
    """Import scikit-learn, which takes a while, only for those who want its interface."""
    if name == "LandscapeGPRegressor":
        from bayescape.study.regressor import LandscapeGPRegressor

        return LandscapeGPRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
