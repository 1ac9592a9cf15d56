"""Making the map: starts, quenches, transition states, coverage, and the loop over them."""

from bayescape.explore.basins import assign_basins
from bayescape.explore.continuation import continue_minima
from bayescape.explore.explorer import explore

__all__ = ["assign_basins", "continue_minima", "explore"]
