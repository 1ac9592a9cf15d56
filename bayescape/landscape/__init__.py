"""The map of a target: its record, what can be read from it, and its files in other formats."""

from bayescape.landscape.conserved import Conserved, aligned_minima, conserved
from bayescape.landscape.exchange import (
    read_graphml,
    read_pathsample,
    read_topsearch,
    write_graphml,
    write_pathsample,
    write_topsearch,
)
from bayescape.landscape.passes import (
    Merge,
    Superbasin,
    barriers,
    disconnectivity_tree,
    merges,
    pass_energies,
    superbasins,
)
from bayescape.landscape.rates import crossing_rates, relaxation_time
from bayescape.landscape.record import Landscape, load_landscape
from bayescape.landscape.thermodynamics import thermodynamics

__all__ = [
    "Conserved",
    "Landscape",
    "Merge",
    "Superbasin",
    "aligned_minima",
    "barriers",
    "conserved",
    "crossing_rates",
    "disconnectivity_tree",
    "load_landscape",
    "merges",
    "pass_energies",
    "read_graphml",
    "read_pathsample",
    "read_topsearch",
    "relaxation_time",
    "superbasins",
    "thermodynamics",
    "write_graphml",
    "write_pathsample",
    "write_topsearch",
]
