"""Drawing from a mapped posterior: the superposition, Markov chains, and which to use."""
