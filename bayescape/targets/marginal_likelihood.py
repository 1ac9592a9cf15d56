"""The log marginal likelihood of an exact Gaussian process, with gradient and Hessian.

In the coordinates (log lengthscales, log outputscale, log noise[, log nu][, mean]), for the
covariance ``K = outputscale (R + jitter I) + noise I``. A value takes a Cholesky factor, a gradient
also the inverse, a Hessian one product of matrices for every lengthscale (and ``nu``) more. Small
matrices are computed several at a time, in threads; large ones use BLAS's threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import FREE, Correlation, constants_of
from bayescape.kernels.lapack import routines
from bayescape.kernels.threads import run_in_chunks, single_threaded, threads
from bayescape.targets.covariance import Problem, pack
from bayescape.targets.first_order import energies_at, gradients_at
from bayescape.targets.prediction import left_out_at, predictions_at
from bayescape.targets.second_order import hessians_at
from bayescape.targets.torch_likelihood import TorchLikelihood

__all__ = ["LARGE", "MarginalLikelihood"]

Array = NDArray[np.float64]

ALONE, LARGE = 500, 800  # rows from which BLAS makes good use of threads for the only matrix, and
# for one matrix after another, better than several at once on one thread each
KEPT, KEPT_BELOW = 4, 400  # sizes of matrices that a thread keeps memory for
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
        self._packed = pack(self.problem)
        self.correlation = correlation
        self.free = correlation.kind == FREE
        self.lengths = X.shape[1] if ard else 1
        self.failures = 0

    def __getstate__(self) -> dict[str, Any]:
        # Addresses are good for one process only.
        return {k: v for k, v in self.__dict__.items() if k != "_packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.problem = self.problem._replace(address=routines())
        self._packed = pack(self.problem)

    def energy(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``, nats."""
        energies = np.empty(len(theta))
        self._run(energies_at, theta, 1, energies)
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        energies, gradients = np.empty(len(theta)), np.empty(theta.shape)
        self._run(gradients_at, theta, 3 if self.free else 2, energies, gradients)
        return energies, gradients

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``."""
        hessians = np.empty((*theta.shape, theta.shape[1]))
        self._run(hessians_at, theta, 6 if self.free else 3, hessians)
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

    def leave_one_out(self, theta: Array) -> tuple[Array, Array]:
        """Mean and variance of every observation given the others: ``(B, n)`` each.

        Rasmussen & Williams, equation 5.12. NaN where the covariance is not positive definite.
        """
        means, variances = np.empty((2, len(theta), len(self.problem.y)))
        self._run(left_out_at, theta, 1, means, variances)
        return means, variances

    def repeat(self, theta: Array, normals: Array) -> Array:
        """Measurements repeated at the same inputs; see `TorchLikelihood.repeat`, which draws."""
        p = self.problem
        form: dict[str, Any] = {"ard": p.ard, "mean": p.mean, "jitter": p.jitter}
        likelihood = TorchLikelihood(self.correlation, p.X.T, p.y, **form, device="cpu")
        return likelihood.repeat(theta, normals)

    def _run(
        self,
        function: Callable[..., int],
        theta: Array,
        fields: int,
        *outs: Array,
        **more: Array,
    ) -> None:
        """Call compiled code on all points, in threads where that pays."""
        theta = np.ascontiguousarray(theta, dtype=float)
        count, n = len(theta), len(self.problem.y)
        large = ALONE if count == 1 else LARGE
        constants = np.empty((count, 3))  # needed for tables only
        if self.free:
            constants = constants_of(np.exp(theta[:, self.lengths + 2]))

        if count == 1 and n < large and not more:  # the case where a call's own cost shows
            space = _scratch.space(n, fields)
            with single_threaded():
                self.failures += function(self._packed, theta, constants, *space, *outs)
            return

        def work(theta: Array, constants: Array, *outs: Array) -> int:
            space = _scratch.space(n, fields)
            return function(self._packed, theta, constants, *space, *outs, *more.values())

        if n >= large:
            self.failures += work(theta, constants, *outs)
        elif count > 1 and count * n * n >= WORTHWHILE and threads() > 1:
            batched = (theta, constants, *outs)
            chunks = run_in_chunks(lambda part: work(*(a[part] for a in batched)), count)
            self.failures += sum(chunks)
        else:
            with single_threaded():
                self.failures += work(theta, constants, *outs)


class _Scratch(threading.local):
    """Memory that every thread keeps between calls: fresh pages cost as much as small matrices."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], tuple[Array, Array]] = {}

    def space(self, n: int, fields: int) -> tuple[Array, Array]:
        """A matrix of ``n`` rows and ``fields`` numbers for every pair; not kept if large."""
        found = self.kept.get((n, fields))
        if found is None:
            found = np.empty((n, n)), np.empty((fields, n * (n - 1) // 2))
            if len(self.kept) >= KEPT:
                self.kept.clear()
            if n < KEPT_BELOW:
                self.kept[n, fields] = found
        return found


_scratch = _Scratch()
