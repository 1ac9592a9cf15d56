"""The Matern kernel of any order for GPyTorch and BoTorch."""

from __future__ import annotations

from typing import Any

import gpytorch
import torch
from gpytorch.constraints import Interval
from gpytorch.priors import Prior
from torch import Tensor

from bayescape.arguments import check_flag, check_kind, check_number
from bayescape.kernels.correlation import LARGEST_NU, SMALLEST_NU, correlation
from bayescape.kernels.torch_correlation import of_fixed_order, of_order, squared_distance

__all__ = ["MaternKernel"]


class MaternKernel(gpytorch.kernels.Kernel):
    r"""Matern kernel of any real order, fixed or learned.

    .. math::

       k(r) = \frac{2^{1 - \nu}}{\Gamma(\nu)} s^\nu K_\nu(s), \quad s = \sqrt{2 \nu} \, r,

    with :math:`r` the distance over the lengthscale. Values and derivatives, also those by
    :math:`\nu`, are good to about 1e-13; derivatives of up to second order go through autograd. It
    takes everything that ``gpytorch.kernels.Kernel`` does: ``ard_num_dims``, ``batch_shape``,
    ``active_dims``, ``lengthscale_prior``, ``lengthscale_constraint``.

    Parameters
    ----------
    nu
        Order, from 0.2 to 50 or infinity (the Gaussian kernel). Where it is learned, the value to
        begin with.
    learn_nu
        Whether the order is a parameter, ``raw_nu``, of the shape ``(*batch_shape, 1)``.
    nu_prior
        A GPyTorch prior over the learned order.
    nu_constraint
        Constraint of the learned order, within 0.2 and 50, which is the default.

    Raises
    ------
    ValueError
        For an order or a constraint out of range, or a prior over an order that is not learned.

    References
    ----------
    C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006),
    equation 4.14.
    """

    has_lengthscale = True

    def __init__(
        self,
        nu: float = 2.5,
        *,
        learn_nu: bool = False,
        nu_prior: Prior | None = None,
        nu_constraint: Interval | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_flag("learn_nu", learn_nu)
        if not learn_nu:
            if nu_prior is not None or nu_constraint is not None:
                raise ValueError("`nu_prior` and `nu_constraint` need `learn_nu=True`")
            if isinstance(nu, str):
                raise ValueError(f"`nu` must be a number, got {nu!r}")
            self._correlation = correlation("matern", nu)
            self._fixed_nu: float | None = float(nu)
            return
        check_number("nu", nu, 0)
        if nu_constraint is not None:
            check_kind("nu_constraint", nu_constraint, Interval, "a GPyTorch constraint")
        constraint = Interval(SMALLEST_NU, LARGEST_NU) if nu_constraint is None else nu_constraint
        low, high = float(constraint.lower_bound.min()), float(constraint.upper_bound.max())
        # A constraint may hold its bounds in 32 bits.
        if not (low >= SMALLEST_NU * (1 - 1e-6) and high <= LARGEST_NU * (1 + 1e-6)):
            raise ValueError(
                f"`nu_constraint` must lie within {SMALLEST_NU} and {LARGEST_NU:g}, "
                f"got [{low:g}, {high:g}]"
            )
        if not low < nu < high:
            raise ValueError(f"`nu` must be within its constraint [{low:g}, {high:g}], got {nu!r}")
        self._fixed_nu = None
        self.register_parameter("raw_nu", torch.nn.Parameter(torch.zeros(*self.batch_shape, 1)))
        self.register_constraint("raw_nu", constraint)
        if nu_prior is not None:
            if not isinstance(nu_prior, Prior):
                raise TypeError(f"`nu_prior` must be a GPyTorch prior, got {nu_prior!r}")
            self.register_prior("nu_prior", nu_prior, lambda m: m.nu, lambda m, v: m._set_nu(v))
        self._set_nu(nu)

    @property
    def is_stationary(self) -> bool:
        """Whether the kernel depends on differences of inputs only: it does."""
        return True

    @property
    def nu(self) -> float | Tensor:
        """Order: a number if fixed, a tensor ``(*batch_shape, 1)`` if learned."""
        if self._fixed_nu is not None:
            return self._fixed_nu
        return self.raw_nu_constraint.transform(self.raw_nu)

    @nu.setter
    def nu(self, value: float | Tensor) -> None:
        self._set_nu(value)

    def _set_nu(self, value: float | Tensor) -> None:
        if self._fixed_nu is not None:
            self._correlation = correlation("matern", float(value))
            self._fixed_nu = float(value)
            return
        raw = torch.as_tensor(value).to(self.raw_nu)
        self.initialize(raw_nu=self.raw_nu_constraint.inverse_transform(raw))

    def forward(
        self,
        x1: Tensor,
        x2: Tensor,
        diag: bool = False,
        last_dim_is_batch: bool = False,
        **params: Any,
    ) -> Tensor:
        """Covariance of ``(..., n, p)`` and ``(..., m, p)``: ``(..., n, m)``, or its diagonal."""
        x1, x2 = x1.div(self.lengthscale), x2.div(self.lengthscale)
        if last_dim_is_batch:
            x1, x2 = (x.transpose(-1, -2).unsqueeze(-1) for x in (x1, x2))
        q = squared_distance(x1, x2, diag=diag)
        nu = self.nu
        if not isinstance(nu, Tensor):
            return of_fixed_order(q, self._correlation)
        nu = nu.unsqueeze(-1)
        if last_dim_is_batch:
            nu = nu.unsqueeze(-1)
        if diag:
            return of_order(q.unsqueeze(-2), nu).squeeze(-2)
        return of_order(q, nu)
