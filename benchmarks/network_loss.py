"""What it gains to evaluate 32 networks at once, as ratios in one run, on one thread.

A row is a data set. The loss and its gradient at 32 points in one call of `bayescape.NetworkLoss`,
then as many calls of one point each, and the usual way: parameters loaded into the torch module,
its own loss, and ``backward``. Timings of a row are taken in turns; medians are printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from torch.nn.utils import vector_to_parameters

import bayescape as bs
from benchmarks.adapters import in_turns
from benchmarks.network_data import SETS, data, module

BATCH = 32


def usual(name, theta, l2):
    """The function that takes loss and gradient of one network after another."""
    X, y = data(name)
    network = module(name).double()
    inputs, labels = torch.tensor(X), torch.tensor(np.unique(y, return_inverse=True)[1])
    points = torch.tensor(theta)

    def loop():
        gradients = []
        for point in points:
            vector_to_parameters(point, network.parameters())
            network.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(inputs), labels, reduction="sum")
            loss = loss + 0.5 * l2 * sum((p**2).sum() for p in network.parameters())
            loss.backward()
            gradients.append(torch.cat([p.grad.ravel() for p in network.parameters()]))
        return torch.stack(gradients).numpy()

    return loop


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"loss and gradient of {BATCH} networks in double precision, one thread")
    print(
        f"{'set':8} {'weights':>8} {'rows':>6} {'together, ms':>13} {'one by one':>11} {'usual':>7}"
    )
    for name in SETS:
        target = bs.NetworkLoss(module(name), *data(name), l2=1e-2)
        theta = target.starts(BATCH, np.random.default_rng(0))
        loop = usual(name, theta, 1e-2)
        np.testing.assert_allclose(loop(), target.energy_and_gradient(theta)[1], atol=1e-9)
        taken = in_turns(
            together=lambda target=target, theta=theta: target.energy_and_gradient(theta),
            apart=lambda target=target, theta=theta: [
                target.energy_and_gradient(point[None]) for point in theta
            ],
            usual=loop,
        )
        ratios = [taken[key] / taken["together"] for key in ("apart", "usual")]
        print(
            f"{name:>8} {len(target.names):7d} {target.loss.rows:5d} "
            f"{1e3 * taken['together']:13.2f} {ratios[0]:11.1f} {ratios[1]:7.1f}"
        )


if __name__ == "__main__":
    main()
