"""The map of a target: its record, and what can be read from it."""

from bayescape.landscape.record import Landscape, load_landscape
from bayescape.landscape.thermodynamics import thermodynamics

__all__ = ["Landscape", "load_landscape", "thermodynamics"]
