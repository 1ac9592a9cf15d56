"""The loss of a network of one hidden layer of tanh units, in NumPy alone, by its own formulas.

What `bayescape.NetworkLoss` gives for ``nn.Sequential(nn.Linear, nn.Tanh, nn.Linear)`` and the
cross-entropy, for a process without torch; the two are held against each other before use.
"""

from __future__ import annotations

import numpy as np

__all__ = ["TanhNetwork"]


class TanhNetwork:
    """Summed cross-entropy, and normal priors of the weights.

    Parameters
    ----------
    spec
        ``inputs`` ``(N, p)``, ``labels`` ``(N,)`` from 0, ``hidden`` units, and ``l2``.
    """

    def __init__(self, spec):
        self.inputs = np.array(spec["inputs"], dtype=float).T
        labels = np.array(spec["labels"])
        self.truth = np.eye(labels.max() + 1)[labels].T
        self.hidden, self.l2 = spec["hidden"], spec["l2"]
        p, h, c = len(self.inputs), self.hidden, len(self.truth)
        self.shapes = (h, p), (h,), (c, h), (c,)
        self.d = sum(int(np.prod(shape)) for shape in self.shapes)

    def energy(self, theta):
        """Energies, ``(B, d)`` to ``(B,)``."""
        return self.energy_and_gradient(theta)[0]

    def energy_and_gradient(self, theta):
        """Energies and gradients, ``(B,)`` and ``(B, d)``."""
        w1, b1, w2, b2 = self._parts(theta)
        hidden = np.tanh(w1 @ self.inputs + b1[:, :, None])
        scores = w2 @ hidden + b2[:, :, None]
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        prior = 0.5 * self.l2 * (theta**2).sum(axis=1)
        prior -= 0.5 * self.d * np.log(self.l2 / (2 * np.pi))
        energy = prior - (logs * self.truth).sum(axis=(1, 2))
        error = np.exp(logs) - self.truth
        back = (w2.transpose(0, 2, 1) @ error) * (1 - hidden**2)
        slopes = (
            back @ self.inputs.T,
            back.sum(axis=2),
            error @ hidden.transpose(0, 2, 1),
            error.sum(axis=2),
        )
        return energy, _flat(slopes) + self.l2 * theta

    def hessian(self, theta):
        """Second derivatives, ``(B, d, d)``: along every coordinate, by forward derivatives."""
        return np.stack([self._hessian(point) for point in theta])

    def _hessian(self, point):
        w1, b1, w2, b2 = (part[0] for part in self._parts(point[None]))
        v1, u1, v2, u2 = self._parts(np.eye(self.d))
        hidden = np.tanh(w1 @ self.inputs + b1[:, None])
        slope = 1 - hidden**2
        scores = w2 @ hidden + b2[:, None]
        odds = np.exp(scores - scores.max(axis=0))
        odds /= odds.sum(axis=0)
        error = odds - self.truth
        back = w2.T @ error
        r_hidden = slope * (v1 @ self.inputs + u1[:, :, None])
        r_scores = v2 @ hidden + w2 @ r_hidden + u2[:, :, None]
        r_error = odds * (r_scores - (odds * r_scores).sum(axis=1, keepdims=True))
        r_back = slope * (v2.transpose(0, 2, 1) @ error + w2.T @ r_error)
        r_back -= 2 * hidden * r_hidden * back
        rows = (
            r_back @ self.inputs.T,
            r_back.sum(axis=2),
            r_error @ hidden.T + error @ r_hidden.transpose(0, 2, 1),
            r_error.sum(axis=2),
        )
        found = _flat(rows)
        return 0.5 * (found + found.T) + self.l2 * np.eye(self.d)

    def _parts(self, theta):
        parts, first = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            parts.append(theta[:, first : first + size].reshape(len(theta), *shape))
            first += size
        return parts


def _flat(parts):
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
