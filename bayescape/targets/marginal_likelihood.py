"""The log marginal likelihood of an exact Gaussian process, with gradient and Hessian.

In the coordinates (log lengthscales, log outputscale, log noise[, log nu][, mean]), for the
covariance ``K = outputscale (R + jitter I) + noise I``. A value takes a Cholesky factor, a gradient
also the inverse, a Hessian one product of matrices for every lengthscale (and ``nu``) more. Small
matrices are computed several at a time, in threads; large ones use BLAS's threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import FREE, Correlation, constants_of
from bayescape.kernels.lapack import Routines, routines
from bayescape.kernels.threads import run_in_chunks, threads
from bayescape.targets.covariance import Problem, Space
from bayescape.targets.first_order import energies_at, gradients_at
from bayescape.targets.prediction import predictions_at
from bayescape.targets.second_order import hessians_at

__all__ = ["LARGE", "MarginalLikelihood"]

Array = NDArray[np.float64]

LARGE = 400  # rows from which a matrix keeps all of BLAS's threads busy by itself
WORTHWHILE = 20_000  # points times rows squared from which starting threads pays


class MarginalLikelihood:
    """Negative log marginal likelihood of some data under a stationary kernel.

    All methods take a batch of points ``(B, d)``. Where the covariance is not positive definite
    the energy is ``+inf`` and the derivatives are NaN; ``failures`` counts how often that was so.
    The jitter is part of the model and never changed on the way: a density that shifts by what a
    factorisation happens to need would be no density.

    Parameters
    ----------
    correlation
        The correlation.
    X, y
        Data in the model's units, ``(n, p)``, ``(n,)``.
    ard
        Whether every input has a lengthscale of its own.
    mean
        Whether a constant mean is the last coordinate (else the mean is zero).
    jitter
        Added to the correlation's diagonal, so relative to the outputscale.
    """

    def __init__(
        self, correlation: Correlation, X: Array, y: Array, *, ard: bool, mean: bool, jitter: float
    ) -> None:
        self.problem = Problem(
            np.ascontiguousarray(X.T),
            np.ascontiguousarray(y),
            ard,
            mean,
            float(jitter),
            correlation,
            routines(),
        )
        self.correlation = correlation
        self.free = correlation.kind == FREE
        self.lengths = X.shape[1] if ard else 1
        self.failures = 0

    def __getstate__(self) -> dict[str, object]:
        # Addresses are good for one process only.
        return self.__dict__ | {"problem": self.problem._replace(address=Routines(0, 0, 0, 0))}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.problem = self.problem._replace(address=routines())

    def energy(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``, nats."""
        energies = np.empty(len(theta))
        self._run(energies_at, theta, 1, energies)
        self.failures += int(np.isinf(energies).sum())
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        energies, gradients = np.empty(len(theta)), np.empty(theta.shape)
        self._run(gradients_at, theta, 3 if self.free else 2, energies, gradients)
        self.failures += int(np.isinf(energies).sum())
        return energies, gradients

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``."""
        hessians = np.empty((*theta.shape, theta.shape[1]))
        self._run(hessians_at, theta, 6 if self.free else 3, hessians)
        self.failures += int(np.isnan(hessians).any(axis=(1, 2)).sum())
        return hessians

    def predict(self, theta: Array, X_new: Array) -> tuple[Array, Array]:
        """Mean and variance of the latent function at new inputs ``(m, p)``: ``(B, m)`` each.

        Rasmussen & Williams, equations 2.25 and 2.26. NaN where the covariance is not positive
        definite.
        """
        means, variances = np.empty((2, len(theta), len(X_new)))
        inputs = np.ascontiguousarray(X_new.T)
        self._run(predictions_at, theta, 1, means, variances, X_new=inputs)
        return means, variances

    def _run(
        self,
        function: Callable[..., None],
        theta: Array,
        fields: int,
        *outs: Array,
        **more: Array,
    ) -> None:
        """Call compiled code on all points, in threads where that pays."""
        theta = np.ascontiguousarray(theta, dtype=float)
        constants = np.zeros((len(theta), 3))
        if self.free:
            constants = constants_of(np.exp(theta[:, self.lengths + 2]))

        def work(part: slice) -> None:
            here = (out[part] for out in outs)
            space = _scratch.space(n, fields)
            function(self.problem, theta[part], constants[part], space, *here, *more.values())

        count, n = len(theta), len(self.problem.y)
        if count > 1 and n < LARGE and count * n * n >= WORTHWHILE and threads() > 1:
            run_in_chunks(work, count)
        else:
            work(slice(None))


class _Scratch(threading.local):
    """Memory that every thread keeps between calls: fresh pages cost as much as small matrices."""

    kept: Space | None = None

    def space(self, n: int, fields: int) -> Space:
        """A matrix of ``n`` rows and that many fields; large ones are not kept."""
        if self.kept is not None and self.kept.K.shape == (n, n):
            if len(self.kept.fields) >= fields:
                return self.kept._replace(fields=self.kept.fields[:fields])
        space = Space(np.empty((n, n)), np.empty((fields, n * (n - 1) // 2)))
        self.kept = space if n < LARGE else None
        return space


_scratch = _Scratch()
