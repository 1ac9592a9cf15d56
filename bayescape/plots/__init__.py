"""Pictures of the map, the posterior and the predictions (matplotlib)."""

from bayescape.plots.comparison import plot_comparison
from bayescape.plots.continuation import plot_continuation
from bayescape.plots.disconnectivity import plot_disconnectivity
from bayescape.plots.heat_capacity import plot_heat_capacity
from bayescape.plots.marginals import plot_marginals
from bayescape.plots.network import plot_network
from bayescape.plots.pair import plot_pair
from bayescape.plots.predictions import plot_predictions

__all__ = [
    "plot_comparison",
    "plot_continuation",
    "plot_disconnectivity",
    "plot_heat_capacity",
    "plot_marginals",
    "plot_network",
    "plot_pair",
    "plot_predictions",
]
