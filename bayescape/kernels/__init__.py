"""Covariance functions: the Matern correlation of any order, compiled and as a GPyTorch kernel."""

from typing import Any

from bayescape.kernels.correlation import Correlation, correlation

__all__ = ["Correlation", "MaternKernel", "correlation"]


def __getattr__(name: str) -> Any:
    # Importing GPyTorch takes longer than all the rest of this room.
    if name == "MaternKernel":
        from bayescape.kernels.matern_kernel import MaternKernel

        return MaternKernel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
