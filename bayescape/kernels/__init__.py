"""Covariance functions."""

from bayescape.kernels.stationary import Stationary, stationary

__all__ = ["Stationary", "stationary"]
