"""Predictions at new inputs from draws or from minima, and how good they are."""
