"""Maps in the files of other programs: PATHSAMPLE, TopSearch, and GraphML for anything else."""

from bayescape.landscape.exchange.graphml import read_graphml, write_graphml
from bayescape.landscape.exchange.pathsample import read_pathsample, write_pathsample
from bayescape.landscape.exchange.topsearch import read_topsearch, write_topsearch

__all__ = [
    "read_graphml",
    "read_pathsample",
    "read_topsearch",
    "write_graphml",
    "write_pathsample",
    "write_topsearch",
]
