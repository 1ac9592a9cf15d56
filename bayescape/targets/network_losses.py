"""What a network's outputs cost: losses of a whole batch of networks, summed over the rows of data.

Outputs are tensors of shape ``(B, outputs, N)``; every loss takes them to ``(B,)``, in nats.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["LOSSES", "AreaUnderCurve", "CrossEntropy", "Loss", "SquaredError"]


class Loss(Protocol):
    """A loss of outputs against the data that it was made with.

    Attributes
    ----------
    rows
        How many rows of data there are.
    pairs
        How many pairs of rows are compared, each a number that an evaluation makes.
    """

    rows: int
    pairs: int

    @property
    def classes(self) -> NDArray[Any] | None:
        """All labels in the order of the outputs; ``None`` where there are none."""
        ...

    def __call__(self, outputs: Tensor) -> Tensor:
        """``(B, outputs, N)`` to ``(B,)``."""
        ...


class CrossEntropy:
    """Minus the log probability of the classes, summed over the rows.

    Parameters
    ----------
    y
        A label for each row, ``(N,)``.
    classes
        All labels in the order of the outputs; by default those of ``y``, sorted.
    outputs
        How many the network has: one for each class, or a single one, the log odds of the second of
        two.
    """

    pairs = 0

    def __init__(self, y: ArrayLike, classes: ArrayLike | None, outputs: int) -> None:
        labels, self.classes = _labelled(y, classes)
        k = len(self.classes)
        if outputs != k and (outputs, k) != (1, 2):
            one = " or one" if k == 2 else ""
            raise ValueError(
                f"`module` must have {k}{one} outputs for the classes "
                f"{self.classes.tolist()}, got {outputs}"
            )
        self.rows = len(labels)
        if outputs == 1:
            self._truth = torch.tensor(2.0 * labels - 1.0)
        else:
            self._truth = torch.tensor(np.eye(k)[labels].T)

    def __call__(self, outputs: Tensor) -> Tensor:
        """As `Loss.__call__`."""
        if outputs.shape[1] == 1:
            right = torch.nn.functional.logsigmoid(outputs[:, 0] * self._truth)
            return -right.sum(dim=1)
        return -(torch.log_softmax(outputs, dim=1) * self._truth).sum(dim=(1, 2))


class SquaredError:
    """Minus the log density of normal errors, summed over the rows.

    Parameters
    ----------
    y
        Numbers, ``(N,)`` or ``(N, outputs)``.
    outputs
        How many the network has.
    noise
        Variance of the errors.
    """

    classes = None
    pairs = 0

    def __init__(self, y: ArrayLike, outputs: int, noise: float) -> None:
        try:
            truth = np.array(y, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError("`y` must hold numbers for the loss 'mse'") from error
        truth = truth[:, None] if truth.ndim == 1 else truth
        if truth.ndim != 2 or truth.shape[1] != outputs:
            raise ValueError(
                f"`y` must have shape (N,) or (N, outputs) with the {outputs} outputs of `module`, "
                f"got {np.shape(y)}"
            )
        if not np.isfinite(truth).all():
            raise ValueError("`y` must hold finite numbers only")
        self.rows, self.noise = len(truth), noise
        self._truth = torch.tensor(truth.T)
        self._constant = 0.5 * truth.size * math.log(2 * math.pi * noise)

    def __call__(self, outputs: Tensor) -> Tensor:
        """As `Loss.__call__`."""
        return ((outputs - self._truth) ** 2).sum(dim=(1, 2)) / (2 * self.noise) + self._constant


class AreaUnderCurve:
    """A smooth count of the pairs that are in the wrong order: ``N`` times ``1 - AUC``, about.

    Parameters
    ----------
    y
        Labels of two classes, ``(N,)``.
    classes
        As of `CrossEntropy`; the second is the one whose scores should be the higher ones.
    outputs
        How many the network has: one, the score, or two, of which it is the difference.
    sharpness
        How steep the sigmoid is that stands in for the step, per unit of score.
    """

    def __init__(
        self, y: ArrayLike, classes: ArrayLike | None, outputs: int, sharpness: float
    ) -> None:
        labels, self.classes = _labelled(y, classes)
        if len(self.classes) != 2 or len(np.unique(labels)) != 2:
            raise ValueError(
                f"`y` must have rows of two classes for the loss 'auc', got {self.classes.tolist()}"
            )
        if outputs not in (1, 2):
            raise ValueError(
                f"`module` must have one or two outputs for the loss 'auc', got {outputs}"
            )
        self.rows, self.sharpness = len(labels), sharpness
        self._low, self._high = (torch.tensor(np.flatnonzero(labels == k)) for k in (0, 1))
        self.pairs = len(self._low) * len(self._high)

    def __call__(self, outputs: Tensor) -> Tensor:
        """As `Loss.__call__`."""
        score = outputs[:, -1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs[:, 0]
        ahead = score[:, self._high, None] - score[:, None, self._low]
        return self.rows * torch.sigmoid(-self.sharpness * ahead).mean(dim=(1, 2))


LOSSES = ("cross_entropy", "mse", "auc")
"""Names of the losses."""


def _labelled(y: ArrayLike, classes: ArrayLike | None) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Positions of labels among the classes, and the classes."""
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"`y` must have one label for each row, shape (N,), got {labels.shape}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("`y` must have a label in every row, got values that are not finite")
    known = np.unique(labels) if classes is None else np.asarray(classes)
    if known.ndim != 1 or len(known) < 2 or len(np.unique(known)) < len(known):
        given = "y" if classes is None else "classes"
        raise ValueError(f"`{given}` must have two classes or more, got {known.tolist()}")
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known, labels, sorter=order)
    found = order[np.minimum(place, len(known) - 1)]
    strange = known[found] != labels
    if strange.any():
        raise ValueError(
            f"`y` must hold only labels of `classes`, {known.tolist()}, got {labels[strange][0]!r}"
        )
    return found, known
