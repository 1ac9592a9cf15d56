"""Participants of `benchmarks/sampling.py`, and what their draws are worth."""
