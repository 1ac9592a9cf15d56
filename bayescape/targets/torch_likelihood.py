"""The log marginal likelihood by torch's batched linear algebra, on any of its devices.

The formulas are those of `bayescape.targets.marginal_likelihood` and the correlations come of the
same coefficients; here whole batches of matrices are at work at once. On a GPU that is what keeps
it busy; on a CPU the compiled code is faster.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayescape.arguments import shown
from bayescape.kernels.correlation import FREE, Correlation
from bayescape.kernels.torch_correlation import curve, evaluate
from bayescape.targets.conditionals import left_out, repeated

__all__ = ["TorchLikelihood", "available_device"]

Array = NDArray[np.float64]

SHARE = 0.5  # of a GPU's free memory that one batch may take
ON_CPU = 2**30  # bytes that one batch may take in main memory


class _Batch(NamedTuple):
    """What all orders of derivatives begin with, for ``B`` points."""

    theta: Tensor  # (B, d)
    scale: Tensor  # (B, 1, 1), as the next two
    noise: Tensor
    nu: Tensor
    squares: list[Tensor]  # squared scaled distances, one (B, n, n) for each lengthscale
    fields: Tensor  # functions of the correlation, (rows, B, n, n)
    bent: Tensor  # 4 d2k/dq2, (B, n, n); empty unless asked for
    factor: Tensor  # lower Cholesky factor, (B, n, n)
    failed: Tensor  # (B,)
    residual: Tensor  # (B, n, 1)


class TorchLikelihood:
    """Negative log marginal likelihood on a torch device; see `MarginalLikelihood` for the rest.

    Parameters
    ----------
    correlation, X, y, ard, mean, jitter
        As there.
    device
        A torch device, such as ``"cuda"``. Batches that would not fit its memory are split.
    """

    def __init__(
        self,
        correlation: Correlation,
        X: Array,
        y: Array,
        *,
        ard: bool,
        mean: bool,
        jitter: float,
        device: str | torch.device,
    ) -> None:
        self.correlation, self.ard, self.mean, self.jitter = correlation, ard, mean, jitter
        self.device = torch.device(device)
        self.X, self.y = (torch.tensor(a, dtype=torch.float64, device=device) for a in (X, y))
        self.lengths = X.shape[1] if ard else 1
        self.failures = 0

    def energy(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``, nats."""
        (energies,) = self._run(self._energy, theta, matrices=5, shapes=[()])
        self.failures += int(np.isinf(energies).sum())
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        d = theta.shape[1]
        energies, gradients = self._run(
            self._gradient, theta, matrices=8 + self.lengths, shapes=[(), (d,)]
        )
        self.failures += int(np.isinf(energies).sum())
        return energies, gradients

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``."""
        d = theta.shape[1]
        (hessians,) = self._run(
            self._hessian, theta, matrices=12 + 3 * self.lengths, shapes=[(d, d)]
        )
        self.failures += int(np.isnan(hessians).any(axis=(1, 2)).sum())
        return hessians

    def predict(self, theta: Array, X_new: Array) -> tuple[Array, Array]:
        """Mean and variance of the latent function at new inputs ``(m, p)``: ``(B, m)`` each."""
        new = torch.tensor(X_new, dtype=torch.float64, device=self.device)
        m = len(new)

        def work(theta: Tensor) -> tuple[Tensor, ...]:
            b = self._begin(theta, rows=1)
            q = torch.stack(self._squares(theta, new)).sum(0)
            cross = b.scale * self._evaluate(q, b.nu, 1)[0]  # (B, m, n)
            alpha = torch.cholesky_solve(b.residual, b.factor)
            means = (cross @ alpha)[..., 0]
            if self.mean:
                means = means + theta[:, -1:]
            half = torch.linalg.solve_triangular(b.factor, cross.mT, upper=False)
            variances = (b.scale[..., 0] - half.square().sum(-2)).clamp_min(0.0)
            return tuple(
                torch.where(b.failed[:, None], math.nan, found) for found in (means, variances)
            )

        matrices = 5 + 4 * math.ceil(m / len(self.y))
        means, variances = self._run(work, theta, matrices=matrices, shapes=[(m,), (m,)])
        return means, variances

    def leave_one_out(self, theta: Array) -> tuple[Array, Array]:
        """Mean and variance of every observation given the others: ``(B, n)`` each."""
        n = len(self.y)

        def work(theta: Tensor) -> tuple[Tensor, ...]:
            b = self._begin(theta, rows=1)
            return tuple(
                torch.where(b.failed[:, None], math.nan, found)
                for found in left_out(b.factor, b.residual[..., 0], self.y)
            )

        means, variances = self._run(work, theta, matrices=7, shapes=[(n,), (n,)])
        return means, variances

    def repeat(self, theta: Array, normals: Array) -> Array:
        """Measurements repeated at the same inputs, from standard normals ``(B, n)``: ``(B, n)``.

        NaN where the covariance is not positive definite.
        """
        d = theta.shape[1]

        def work(both: Tensor) -> tuple[Tensor, ...]:
            b = self._begin(both[:, :d], rows=1)
            noise = (b.noise + self.jitter * b.scale)[..., 0]
            found = repeated(b.factor, b.residual[..., 0], self.y, noise, both[:, d:])
            return (torch.where(b.failed[:, None], math.nan, found),)

        both = np.concatenate([theta, normals], axis=1)
        (drawn,) = self._run(work, both, matrices=8, shapes=[(len(self.y),)])
        return drawn

    def _run(
        self, work: object, theta: Array, matrices: int, shapes: list[tuple[int, ...]]
    ) -> list[Array]:
        """Run on as many points at a time as fit into memory with that many matrices each."""
        if self.device.type == "cuda":
            free = SHARE * torch.cuda.mem_get_info(self.device)[0]
        else:
            free = ON_CPU
        size = max(1, int(free / (8 * matrices * len(self.y) ** 2)))
        points = torch.tensor(np.asarray(theta, dtype=float), device=self.device)
        outs = [np.empty((len(theta), *shape)) for shape in shapes]
        with torch.no_grad():
            for begin in range(0, len(theta), size):
                part = slice(begin, begin + size)
                found = work(points[part])  # type: ignore[operator]
                for out, tensor in zip(outs, found, strict=True):
                    out[part] = tensor.cpu().numpy()
        return outs

    def _squares(self, theta: Tensor, rows: Tensor) -> list[Tensor]:
        """Squared scaled distances of ``rows`` from the data, by lengthscale."""
        lengths = theta[:, : self.lengths].exp()
        scaled = [
            (
                (rows[:, k, None] - self.X[:, k]) / lengths[:, min(k, self.lengths - 1), None, None]
            ).square_()
            for k in range(self.X.shape[1])
        ]
        return scaled if self.ard else [torch.stack(scaled).sum(0)]

    def _evaluate(self, q: Tensor, nu: Tensor, rows: int) -> Tensor:
        if self.correlation.kind != FREE:
            return evaluate(self.correlation, q, rows)
        orders = nu.ravel().tolist()
        found = [
            evaluate(self.correlation._replace(nu=order), part, rows)
            for order, part in zip(orders, q, strict=True)
        ]
        return torch.stack(found, dim=1)

    def _begin(self, theta: Tensor, rows: int, bent: bool = False) -> _Batch:
        k, n = self.lengths, len(self.y)
        scale, noise = (theta[:, i, None, None].exp() for i in (k, k + 1))
        free = self.correlation.kind == FREE
        nu = (
            theta[:, k + 2, None, None].exp()
            if free
            else torch.full_like(scale, self.correlation.nu)
        )
        squares = self._squares(theta, self.X)
        q = torch.stack(squares).sum(0) if len(squares) > 1 else squares[0]
        fields = self._evaluate(q, nu, rows)
        curved = torch.empty(0, device=self.device, dtype=torch.float64)
        if bent:
            if free:
                parts = zip(nu.ravel().tolist(), q, fields[0], fields[1], strict=True)
                curved = torch.stack(
                    [curve(self.correlation._replace(nu=order), *rest) for order, *rest in parts]
                )
            else:
                curved = curve(self.correlation, q, fields[0], fields[1])
        covariance = scale * fields[0]
        covariance.diagonal(dim1=-2, dim2=-1).add_((scale * self.jitter + noise)[..., 0])
        # Torch raises on NaN where LAPACK does not.
        broken = ~torch.isfinite(covariance).all(-1).all(-1)
        eye = torch.eye(n, dtype=torch.float64, device=self.device)
        covariance[broken] = eye
        factor, info = torch.linalg.cholesky_ex(covariance)
        failed = broken | (info != 0)
        factor[failed] = eye
        residual = self.y.expand(len(theta), n)
        if self.mean:
            residual = residual - theta[:, -1:]
        return _Batch(
            theta, scale, noise, nu, squares, fields, curved, factor, failed, residual[..., None]
        )

    def _energy(self, theta: Tensor) -> tuple[Tensor, ...]:
        return (self._value(self._begin(theta, rows=1)),)

    def _value(self, b: _Batch) -> Tensor:
        half = torch.linalg.solve_triangular(b.factor, b.residual, upper=False)
        logs = b.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        value = 0.5 * half.square().sum((-2, -1)) + logs
        value = value + 0.5 * len(self.y) * math.log(2 * math.pi)
        return torch.where(b.failed | ~torch.isfinite(value), math.inf, value)

    def _gradient(self, theta: Tensor) -> tuple[Tensor, ...]:
        b = self._begin(theta, rows=3 if self.correlation.kind == FREE else 2)
        value = self._value(b)
        alpha = torch.cholesky_solve(b.residual, b.factor)
        inner = torch.cholesky_inverse(b.factor) - alpha @ alpha.mT
        gradient = self._first_order(b, inner, alpha)
        bad = ~torch.isfinite(value) | ~torch.isfinite(gradient).all(-1)
        gradient = torch.where(bad[:, None], math.nan, gradient)
        return torch.where(bad, math.inf, value), gradient

    def _first_order(self, b: _Batch, inner: Tensor, alpha: Tensor) -> Tensor:
        """``1/2 tr((K^-1 - alpha alpha') K_a)`` for every coordinate, ``(B, d)``."""
        n = len(self.y)
        trace = inner.diagonal(dim1=-2, dim2=-1).sum(-1)
        scale, noise, nu = (x[:, 0, 0] for x in (b.scale, b.noise, b.nu))
        weight = inner * b.fields[1]
        columns = [0.5 * scale * (weight * u).sum((-2, -1)) for u in b.squares]
        fit = (alpha * b.residual).sum((-2, -1))
        columns += [0.5 * (n - fit - noise * trace), 0.5 * noise * trace]
        if self.correlation.kind == FREE:
            columns.append(0.5 * scale * nu * (inner * b.fields[2]).sum((-2, -1)))
        if self.mean:
            columns.append(-alpha.sum((-2, -1)))
        return torch.stack(columns, dim=-1)

    def _hessian(self, theta: Tensor) -> tuple[Tensor, ...]:
        free = self.correlation.kind == FREE
        b = self._begin(theta, rows=5 if free else 2, bent=True)
        k, n = self.lengths, len(self.y)
        d = k + 2 + free
        alpha = torch.cholesky_solve(b.residual, b.factor)
        inverse = torch.cholesky_inverse(b.factor)
        inner = inverse - alpha @ alpha.mT
        gradient = self._first_order(b, inner, alpha)
        scale, noise, nu = (x[:, 0, 0] for x in (b.scale, b.noise, b.nu))

        def total(a: Tensor, c: Tensor) -> Tensor:
            return (a * c).sum((-2, -1))

        # K_a where it is a matrix of its own, by coordinate; the others are K - noise I, noise I.
        own = {a: b.scale * b.fields[1] * b.squares[a] for a in range(k)}
        if free:
            own[k + 2] = b.scale * b.nu * b.fields[2]
        again = inverse @ alpha
        pulled = {a: matrix @ alpha for a, matrix in own.items()}
        solved = {a: inverse @ vector for a, vector in pulled.items()}
        pulled |= {k: b.residual - b.noise * alpha, k + 1: b.noise * alpha}
        solved |= {k: alpha - b.noise * again, k + 1: b.noise * again}

        traces = torch.zeros(len(theta), d, d, dtype=torch.float64, device=self.device)
        products = {a: inverse @ own.pop(a) for a in list(own)}
        for a, product in products.items():
            for c, other in products.items():
                if c <= a:
                    traces[:, a, c] = traces[:, c, a] = total(product, other.mT)
            with_noise = noise * total(product, inverse)
            diagonal = product.diagonal(dim1=-2, dim2=-1).sum(-1)
            traces[:, a, k] = traces[:, k, a] = diagonal - with_noise
            traces[:, a, k + 1] = traces[:, k + 1, a] = with_noise
        of_inverse = inverse.diagonal(dim1=-2, dim2=-1).sum(-1)
        of_square = total(inverse, inverse)
        traces[:, k, k] = n - 2 * noise * of_inverse + noise**2 * of_square
        traces[:, k, k + 1] = traces[:, k + 1, k] = noise * of_inverse - noise**2 * of_square
        traces[:, k + 1, k + 1] = noise**2 * of_square

        half = torch.zeros_like(traces)
        weight = inner * b.bent
        for a in range(k):
            for c in range(a + 1):
                bent = 0.5 * scale * total(weight * b.squares[a], b.squares[c])
                half[:, a, c] = half[:, c, a] = bent
            half[:, a, a] -= 2 * gradient[:, a]
            half[:, a, k] = half[:, k, a] = gradient[:, a]
        half[:, k, k] = gradient[:, k]
        half[:, k + 1, k + 1] = gradient[:, k + 1]
        if free:
            order = k + 2
            half[:, order, k] = half[:, k, order] = gradient[:, order]
            bent = 0.5 * scale * nu**2 * total(inner, b.fields[3])
            half[:, order, order] = gradient[:, order] + bent
            weight = inner * b.fields[4]
            for a in range(k):
                mixed = 0.5 * scale * nu * total(weight, b.squares[a])
                half[:, a, order] = half[:, order, a] = mixed

        left = torch.cat([pulled[a] for a in range(d)], dim=-1)
        right = torch.cat([solved[a] for a in range(d)], dim=-1)
        hessian = half - 0.5 * traces + left.mT @ right
        if self.mean:
            whole = torch.empty(len(theta), d + 1, d + 1, dtype=torch.float64, device=self.device)
            whole[:, :d, :d] = hessian
            whole[:, d, :d] = whole[:, :d, d] = right.sum(-2)
            whole[:, d, d] = inverse.sum((-2, -1))
            hessian = whole
        hessian = 0.5 * (hessian + hessian.mT)
        bad = b.failed | ~torch.isfinite(hessian).all(-1).all(-1)
        return (torch.where(bad[:, None, None], math.nan, hessian),)


def available_device(device: str) -> str:
    """The device, if torch can compute on it in double precision."""
    try:
        if not isinstance(device, str):
            raise TypeError("not a name")
        torch.ones(1, dtype=torch.float64, device=device)
    except (AssertionError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"`device` must be 'cpu' or a device that torch has, got {shown(device)}: {reason}"
        ) from error
    return device
