"""Drawing from a mapped posterior: the superposition, Markov chains, and which to use."""

from bayescape.sample.arviz_tree import load_posterior
from bayescape.sample.decision import Decision, decide
from bayescape.sample.jumps import SuperpositionJump
from bayescape.sample.sampler import sample
from bayescape.sample.superposition import Superposition

__all__ = ["Decision", "Superposition", "SuperpositionJump", "decide", "load_posterior", "sample"]
