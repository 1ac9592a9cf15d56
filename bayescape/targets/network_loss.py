"""A network's loss as a target: its weights are the coordinates, minima are trained networks.

The energy is minus the log of the likelihood and of a normal prior of the weights, so that what is
said of a posterior's landscape holds for the loss, at temperature 1 and at any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from bayescape.arguments import check_array, check_choice, check_kind, check_number, shown
from bayescape.targets.batched_module import BatchedModule
from bayescape.targets.equivalence import Equivalence
from bayescape.targets.hidden_units import hidden_units
from bayescape.targets.network_losses import (
    LOSSES,
    AreaUnderCurve,
    CrossEntropy,
    Loss,
    SquaredError,
)

__all__ = ["NetworkLoss"]

Array = NDArray[np.float64]

DENSE = 500  # weights up to which a Hessian takes as long as some ten gradients of one network
ROOM = 4_000_000  # numbers that one evaluation may make at a time: 32 MB, some ten times over


class NetworkLoss:
    r"""The loss of a small torch network over its weights, as a density.

    The energy is ``E(w) = loss(w) + (l2 / 2) |w|^2 - (d / 2) log(l2 / 2 pi)`` in nats, with the
    loss summed over the rows: ``N`` times its mean. So ``exp(-E)`` is the posterior density of the
    weights, times the evidence, under independent normal priors of variance ``1 / l2``; divide by
    ``N`` to compare with a mean loss, whose usual weight decay is ``l2 / N``.

    ``l2`` must be strictly positive, for three reasons. On data that a network can separate the
    cross-entropy falls for ever as the weights grow, so without it there is no minimum at all.
    Weights that a loss does not feel (of a saturated or a dead unit, of rescaled layers) make
    valleys that are flat to their end, and ``l2`` gives each a bottom with curvature about ``l2``,
    so that minima are isolated points with Hessians that have volumes. And it is the prior, without
    which there is no posterior to normalise.

    Parameters
    ----------
    module
        Takes inputs ``(N, ...)`` to outputs ``(N,)`` or ``(N, outputs)``. It is copied, in double
        precision and in evaluation mode: dropout is off, batch norm uses its running statistics.
        Parameters that require no gradient are constants. Activations with kinks, such as ReLU,
        have minima at kinks, where no gradient vanishes: prefer smooth ones.
    X
        Inputs, ``(N, ...)``; standardise them.
    y
        For ``"cross_entropy"`` and ``"auc"`` a label for each row, of any kind; for ``"mse"``
        numbers, ``(N,)`` or ``(N, outputs)``.
    loss
        ``"cross_entropy"``: minus the log probability of the labels, by the softmax of one output
        for each class, or for two classes the sigmoid of a single output. ``"mse"``: minus the log
        density of normal errors of variance ``noise``, so squared errors over ``2 noise``.
        ``"auc"``: ``N`` times the mean over pairs of a row of either class of the sigmoid of
        ``-sharpness`` times how far the second class's score is ahead: a smooth ``1 - AUC``, which
        is no likelihood, and whose posterior is one in name.
    l2
        Precision of the weights' prior, positive.
    sharpness
        Of ``"auc"``, per unit of score: the larger, the closer to the count of pairs, and the
        flatter away from it.
    noise
        Variance of the errors, for ``"mse"``.
    classes
        Labels in the order of the outputs; by default those of ``y``, sorted. Give it when ``y``
        may lack one.

    Attributes
    ----------
    names
        Of the weights, such as ``"0.weight[3,1]"``: parameter, and place in it.
    classes
        The labels, or ``None`` for ``"mse"``.
    equivalence
        Exchanges of hidden units that leave the energy alone (`Equivalence`), found from the
        module's structure: an ``nn.Sequential`` of linear layers and elementwise activations has
        them, with changes of sign where the activation is odd. Without any it is ``None``, and the
        representation says why.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    A. J. Ballard et al., "Energy landscapes for machine learning", Phys. Chem. Chem. Phys. 19,
    12585 (2017); for the area under the curve D. C. Niroomand, L. Dicks, E. O. Pyzer-Knapp,
    D. J. Wales, Mach. Learn.: Sci. Technol. 3, 015019 (2022), and L. Yan et al., ICML (2003), 848.

    Examples
    --------
    >>> import bayescape as bs
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> X, y = load_iris(return_X_y=True)
    >>> network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3))
    >>> target = bs.NetworkLoss(network, (X - X.mean(0)) / X.std(0), y, l2=0.1)
    >>> len(target.names), target.names[:2]
    (27, ('0.weight[0,0]', '0.weight[0,1]'))
    """

    def __init__(
        self,
        module: nn.Module,
        X: ArrayLike,
        y: ArrayLike,
        loss: Literal["cross_entropy", "mse", "auc"] = "cross_entropy",
        *,
        l2: float = 1e-3,
        sharpness: float = 10.0,
        noise: float = 1.0,
        classes: ArrayLike | None = None,
    ) -> None:
        check_kind("module", module, nn.Module, "a torch.nn.Module")
        for name, value in (("l2", l2), ("sharpness", sharpness), ("noise", noise)):
            check_number(name, value, 0)
        check_choice("loss", loss, LOSSES)
        if loss == "mse" and classes is not None:
            raise ValueError("`classes` is for the losses 'cross_entropy' and 'auc' only")
        self.l2 = float(l2)
        self.network = BatchedModule(module)
        self.names = self.network.names
        if not self.names:
            raise ValueError("`module` must have a parameter that requires a gradient, got none")
        self._X = _inputs(X, "X")
        outputs = _outputs_of(self.network, self._X)
        if np.shape(y)[:1] != (len(self._X),):
            raise ValueError(f"`y` must have as many rows as `X`, {len(self._X)}, got {shown(y)}")
        self.loss: Loss
        if loss == "cross_entropy":
            self.loss = CrossEntropy(y, classes, outputs)
        elif loss == "mse":
            self.loss = SquaredError(y, outputs, float(noise))
        else:
            self.loss = AreaUnderCurve(y, classes, outputs, float(sharpness))
        self.kind = loss
        self.classes = self.loss.classes
        self.observed = {"y": np.asarray(y)}
        self._layers = self.network.layers(self._X)
        self._size = self.network.size(self._X) + self.loss.pairs
        layers, self._not_understood = hidden_units(self.network.module, self.network.places)
        self.equivalence = Equivalence(len(self.names), layers) if layers else None

    @property
    def dense(self) -> bool:
        """Whether searches in many coordinates may ask for Hessians: up to 500 weights."""
        return len(self.names) <= DENSE

    @property
    def n_classes(self) -> int:
        """How many classes there are; 0 for ``"mse"``."""
        return 0 if self.classes is None else len(self.classes)

    def energy(self, theta: Array) -> Array:
        """Negative log density in nats, ``(B, d) -> (B,)``; ``+inf`` where it is not finite."""
        theta = np.asarray(theta, dtype=float)
        found = np.full(len(theta), np.inf)
        for rows in self._rows(len(theta)):
            with torch.no_grad():
                found[rows] = self._energy(_tensor(theta[rows])).numpy()
        return np.where(np.isfinite(found), found, np.inf)

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient, ``(B, d) -> (B,), (B, d)``."""
        theta = np.asarray(theta, dtype=float)
        energy, gradient = np.full(len(theta), np.inf), np.full(theta.shape, np.nan)
        for rows in self._rows(len(theta)):
            energies, slopes = self._with_gradient(_tensor(theta[rows]))
            energy[rows], gradient[rows] = energies.numpy(), slopes.numpy()
        outside = ~np.isfinite(energy)
        energy[outside], gradient[outside] = np.inf, np.nan
        return energy, gradient

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``; see `hessian_vector_product` for many."""
        theta = np.asarray(theta, dtype=float)
        b, d = theta.shape
        found = np.full((b, d, d), np.nan)
        columns = max(1, ROOM // self._size)
        for row in range(b):
            points, slopes = self._slopes(theta[row : row + 1])
            for first in range(0, d, columns):
                part = np.eye(d)[first : first + columns, None]
                (curves,) = torch.autograd.grad(
                    slopes, points, _tensor(part), retain_graph=True, is_grads_batched=True
                )
                found[row, first : first + columns] = curves[:, 0].numpy()
        return 0.5 * (found + found.transpose(0, 2, 1))

    def hessian_vector_product(self, theta: Array, v: Array) -> Array:
        """Products of the Hessians with vectors, ``(B, d), (B, d) -> (B, d)``.

        Each costs about two gradients, whatever ``d``.
        """
        theta, v = np.asarray(theta, dtype=float), np.asarray(v, dtype=float)
        found = np.full(theta.shape, np.nan)
        for rows in self._rows(len(theta)):
            points, slopes = self._slopes(theta[rows])
            (curves,) = torch.autograd.grad(slopes, points, _tensor(v[rows]))
            found[rows] = curves.numpy()
        return found

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """What the module's own ``reset_parameters`` draw, ``(count, d)``."""
        return self.network.drawn(count, rng)

    def constrain(self, theta: Array) -> dict[str, Array]:
        """The parameters by name, each ``(B, ...)`` with the parameter's shape."""
        return self.network.arrays(np.array(theta, dtype=float))

    def outputs(self, theta: Array, X: ArrayLike) -> Array:
        """The network's outputs, ``(B, d)`` and ``(m, ...)`` to ``(B, m, outputs)``."""
        theta, inputs = np.asarray(theta, dtype=float), _inputs(X, "X")
        size = max(1, self.network.size(inputs))
        with torch.no_grad():
            parts = [
                self.network.outputs(_tensor(theta[rows]), inputs).transpose(1, 2).numpy()
                for rows in _chunks(len(theta), size)
            ]
        return np.concatenate(parts) if parts else np.empty((0, len(inputs), 0))

    def predict_proba(self, theta: Array, X: ArrayLike) -> Array:
        """Probabilities of the classes, ``(B, d)`` and ``(m, ...)`` to ``(B, m, classes)``.

        Those of a network trained for the area under the curve have the right order and no more:
        the loss says nothing of where the odds are even.

        Raises
        ------
        ValueError
            If the loss is ``"mse"``, which has no classes.
        """
        if self.classes is None:
            raise ValueError("`predict_proba` needs classes; the loss 'mse' has `outputs` only")
        scores = self.outputs(theta, X)
        if scores.shape[2] == 1:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=2)
        return torch.softmax(torch.tensor(scores), dim=2).numpy()

    def _energy(self, points: Tensor) -> Tensor:
        return self.loss(self.network.outputs(points, self._X)) + self._prior(points)

    def _prior(self, points: Tensor) -> Tensor:
        normaliser = 0.5 * points.shape[1] * math.log(self.l2 / (2 * math.pi))
        return 0.5 * self.l2 * (points**2).sum(dim=1) - normaliser

    def _with_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        if self._layers is not None:
            losses, slopes = self._layers.loss_and_gradient(points, self._X, self.loss)
            return losses + self._prior(points), slopes.add_(points, alpha=self.l2)
        points.requires_grad_()
        energies = self._energy(points)
        (slopes,) = torch.autograd.grad(energies.sum(), points)
        return energies.detach(), slopes

    def _slopes(self, theta: Array) -> tuple[Tensor, Tensor]:
        """Points and gradients that can be differentiated once more."""
        points = _tensor(theta).requires_grad_()
        (slopes,) = torch.autograd.grad(self._energy(points).sum(), points, create_graph=True)
        return points, slopes

    def _rows(self, count: int) -> Iterator[slice]:
        return _chunks(count, self._size)

    def __repr__(self) -> str:
        of = "" if self.classes is None else f", {self.n_classes} classes"
        lines = [
            f"<bayescape.NetworkLoss: {len(self.names)} weights, {self.kind} of "
            f"{self.loss.rows} rows{of}, l2 = {self.l2:g}>"
        ]
        if self.equivalence is not None:
            lines.append(f"symmetries: {self.equivalence!r}")
        if self._not_understood:
            some = "no symmetries" if self.equivalence is None else "no others"
            lines.append(f"{some} found: {self._not_understood}")
        return "\n  ".join(lines)


def _chunks(count: int, size: int) -> Iterator[slice]:
    """Rows that are evaluated at a time, when each makes so many numbers."""
    step = max(1, ROOM // size)
    for first in range(0, count, step):
        yield slice(first, first + step)


def _tensor(array: Array) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)  # no negative strides


def _inputs(X: ArrayLike, argument: str) -> Tensor:
    array = check_array(argument, X, "an array of numbers, (N, ...)")
    if array.ndim < 2 or not array.size:
        raise ValueError(
            f"`{argument}` must have shape (N, ...), rows first and at least one, got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"`{argument}` must hold finite numbers only, got {shown(X)}")
    # Rows of data side by side, as the product with all networks' weights wants them.
    return torch.tensor(np.ascontiguousarray(np.moveaxis(array, 0, -1))).movedim(-1, 0)


def _outputs_of(network: BatchedModule, inputs: Tensor) -> int:
    """How many outputs a network has, once it has been tried."""
    theta = _tensor(network.drawn(1, np.random.default_rng(0)))
    try:
        found = network.outputs(theta, inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        said = str(error).strip().splitlines()[:1]
        raise ValueError(
            f"`module` must take `X`, of shape {tuple(inputs.shape)}, as `torch.vmap` calls it, "
            f"but raised {type(error).__name__}: {''.join(said)[:200]}"
        ) from error
    if found.ndim != 3 or found.shape[2] != len(inputs):
        raise ValueError(
            f"`module` must return shape ({len(inputs)},) or ({len(inputs)}, outputs) for `X`, "
            f"got {tuple(found.shape[1:])[::-1]}"
        )
    return int(found.shape[1])
