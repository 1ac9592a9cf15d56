"""The correlations on torch's tensors: on any device, and differentiable twice.

On the CPU the compiled loop does the work, elsewhere torch does, from the same coefficients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bayescape.kernels.correlation import (
    FREE,
    GAUSSIAN,
    HALF_INTEGER,
    Correlation,
    constants_of,
    correlate,
    table_for,
)
from bayescape.kernels.matern_table import DEGREE, TINY, index_shift

__all__ = ["by_torch", "curve", "evaluate", "of_fixed_order", "of_order", "squared_distance"]


def evaluate(correlation: Correlation, q: Tensor, rows: int) -> Tensor:
    """The first ``rows`` functions of a correlation, at squared distances of any shape.

    Parameters
    ----------
    correlation
        Of kind ``FREE`` it needs an order: the table is made for these distances.
    q
        Squared scaled distances, double precision, on any device.
    rows
        How many of ``k``, ``h = -2 dk/dq``, and if the kind is ``FREE`` at fixed ``q`` ``dk/dnu``,
        ``d2k/dnu2``, ``dh/dnu``.

    Returns
    -------
    torch.Tensor
        Shape ``(rows, *q.shape)``; no gradient is recorded.
    """
    q = q.detach()
    if correlation.kind == FREE:
        flat = q.cpu().numpy().ravel()
        constants = constants_of(np.array(correlation.nu))
        first, table = table_for(correlation.nu, constants, flat, rows)
        correlation = correlation._replace(first=first, table=table)
    if q.device.type == "cpu":
        out = np.empty((rows, q.numel()))
        correlate(*correlation, q.contiguous().numpy().ravel(), out)
        return torch.from_numpy(out).reshape(rows, *q.shape)
    return by_torch(correlation, q, rows)


def by_torch(correlation: Correlation, q: Tensor, rows: int) -> Tensor:
    """What the compiled loop computes, by torch's operations."""
    kind, nu, first, _ = correlation
    if kind == GAUSSIAN:
        return torch.exp(-0.5 * q).expand(rows, *q.shape).clone()
    table = torch.from_numpy(correlation.table).to(q.device)
    s = torch.sqrt(2 * nu * q)
    decay = torch.exp(-s)
    there = q >= TINY
    found = []
    if kind == HALF_INTEGER:
        for polynomial in correlation.table[:rows, 0]:
            total = torch.full_like(q, polynomial[0])
            for coefficient in polynomial[1:]:
                total = total * s + coefficient
            found.append(total * decay)
        if nu == 0.5 and rows > 1:
            found[1] = torch.where(there, found[1] / s, 0.0)
        return torch.stack(found)
    shift = index_shift(nu)
    bits = q.view(torch.int64)
    piece = ((bits >> shift) - first).clamp(0, table.shape[1] - 1)
    within = (bits & ((1 << shift) - 1)) << (52 - shift)
    place = 2 * (within | (1023 << 52)).view(torch.float64) - 3
    for row in range(rows):
        total = table[row, :, 0][piece]
        for power in range(1, DEGREE + 1):
            total = total * place + table[row, :, power][piece]
        found.append(torch.where(there, total * decay, 1.0 if row == 0 else 0.0))
    return torch.stack(found)


def curve(correlation: Correlation, q: Tensor, value: Tensor, slope: Tensor) -> Tensor:
    """``4 d2k/dq2`` from ``k`` and ``h``; 0 at zero distance, where it may diverge."""
    if correlation.kind == GAUSSIAN:
        return value
    nu = correlation.nu
    there = q >= TINY
    return torch.where(there, 2 * (nu * value - (nu - 1) * slope) / torch.where(there, q, 1.0), 0.0)


def of_fixed_order(q: Tensor, correlation: Correlation) -> Tensor:
    """The correlation of squared scaled distances, differentiable twice.

    Parameters
    ----------
    q
        Squared scaled distances, any shape, device and floating type.
    correlation
        Of any kind but ``FREE``.

    Returns
    -------
    torch.Tensor
        The shape and type of ``q``.
    """
    return _Value.apply(q.double(), None, correlation).to(q.dtype)


def of_order(q: Tensor, nu: Tensor) -> Tensor:
    """The Matern correlation of squared scaled distances and orders, differentiable twice in both.

    Parameters
    ----------
    q
        Squared scaled distances, ``(..., n, m)``, any device and floating type.
    nu
        Orders, ``(..., 1, 1)``.

    Returns
    -------
    torch.Tensor
        Both shapes broadcast, the type of ``q``.
    """
    return _Value.apply(q.double(), nu.double(), None).to(q.dtype)


def _functions(
    q: Tensor, nu: Tensor | None, correlation: Correlation | None, rows: int
) -> tuple[Tensor, Tensor]:
    """The first ``rows`` functions, with a table for every order, and ``4 d2k/dq2``."""
    if nu is None:
        assert correlation is not None
        found = evaluate(correlation, q, min(rows, 2))
        return found, curve(correlation, q, found[0], found[min(rows, 2) - 1])
    shape = torch.broadcast_shapes(q.shape, nu.shape)
    orders, distances = nu.expand(*shape[:-2], 1, 1).reshape(-1), q.expand(shape)
    distances = distances.reshape(len(orders), *shape[-2:])
    parts = []
    for order, part in zip(orders.tolist(), distances, strict=True):
        free = Correlation(FREE, order, 0, np.zeros((rows, 1, 1)))
        values = evaluate(free, part, rows)
        bent = curve(free, part, values[0], values[min(rows, 2) - 1])
        parts.append(torch.cat([values, bent[None]]))
    joined = torch.stack(parts, dim=1).reshape(rows + 1, *shape)
    return joined[:-1], joined[-1]


def _sum_to(gradient: Tensor, like: Tensor) -> Tensor:
    return gradient.sum_to_size(like.shape)


class _Value(torch.autograd.Function):
    """``k``: its derivatives are functions of their own, so that they can be derived again."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, nu: Tensor | None, correlation: Correlation | None) -> Tensor:
        ctx.save_for_backward(q, nu)
        ctx.correlation = correlation
        return _functions(q, nu, correlation, 1)[0][0]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = outer
        q, nu = ctx.saved_tensors
        by_q = by_nu = None
        if ctx.needs_input_grad[0]:
            by_q = _sum_to(-0.5 * gradient * _Slope.apply(q, nu, ctx.correlation), q)
        if ctx.needs_input_grad[1]:
            by_nu = _sum_to(gradient * _ByOrder.apply(q, nu), nu)
        return by_q, by_nu, None


class _Slope(torch.autograd.Function):
    """``h = -2 dk/dq``."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, nu: Tensor | None, correlation: Correlation | None) -> Tensor:
        ctx.save_for_backward(q, nu)
        ctx.correlation = correlation
        return _functions(q, nu, correlation, 2)[0][1]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = outer
        q, nu = ctx.saved_tensors
        bent, _, by_both = _Second.apply(q, nu, ctx.correlation)
        by_nu = None if nu is None else _sum_to(gradient * by_both, nu)
        return _sum_to(-0.5 * gradient * bent, q), by_nu, None


class _ByOrder(torch.autograd.Function):
    """``dk/dnu`` at fixed distance."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, nu: Tensor) -> Tensor:
        ctx.save_for_backward(q, nu)
        return _functions(q, nu, None, 3)[0][2]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, ...]:
        (gradient,) = outer
        q, nu = ctx.saved_tensors
        _, by_nu_twice, by_both = _Second.apply(q, nu, None)
        return _sum_to(-0.5 * gradient * by_both, q), _sum_to(gradient * by_nu_twice, nu)


class _Second(torch.autograd.Function):
    """``4 d2k/dq2``, ``d2k/dnu2`` and ``dh/dnu``, whose own derivatives are not known here."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, nu: Tensor | None, correlation: Correlation | None
    ) -> tuple[Tensor, ...]:
        found, bent = _functions(q, nu, correlation, 2 if nu is None else 5)
        if nu is None:
            return bent, torch.zeros_like(bent), torch.zeros_like(bent)
        return bent, found[3], found[4]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        raise NotImplementedError("third derivatives of the Matern correlation are not available")


class _SquaredDistance(torch.autograd.Function):
    """``|x_i - x'_j|^2`` from differences: equal rows are at distance 0 exactly.

    By the expansion of the square they would be at some 1e-16, which a Matern kernel of small order
    sees as 1e-3.
    """

    @staticmethod
    def forward(ctx: Any, x1: Tensor, x2: Tensor) -> Tensor:
        ctx.save_for_backward(x1, x2)
        return torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist").square_()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, ...]:
        (gradient,) = outer
        x1, x2 = ctx.saved_tensors
        across = gradient.transpose(-1, -2)
        by_x1 = 2 * (gradient.sum(-1, keepdim=True) * x1 - gradient @ x2)
        by_x2 = 2 * (across.sum(-1, keepdim=True) * x2 - across @ x1)
        return _sum_to(by_x1, x1), _sum_to(by_x2, x2)


def squared_distance(x1: Tensor, x2: Tensor, *, diag: bool = False) -> Tensor:
    """Squared distances between the rows of ``(..., n, p)`` and ``(..., m, p)``, or row by row."""
    if diag:
        return (x1 - x2).square().sum(-1)
    return _SquaredDistance.apply(x1, x2)
