"""Do conserved weights tell the inputs that matter? Trained networks on data where it is known.

Three kinds of data, of normal inputs of which only the first ones matter:

* ``teacher``: labels of two classes drawn with the log odds that a network of three tanh units
  gives, whose weights of three inputs of eight have random signs and sizes of 0.5 to 1.5;
* ``noise``: numbers from such a network, with normal noise of a tenth of their variance;
* ``rule``: labels ``sin(2 x0) + x1^2 > 1/2``, of six inputs, for a network of four units.

For each seed the network's loss is mapped, and each measure of `bayescape.conserved` ranks the
weights that feed the hidden units. Printed for each: the smallest and the median area under the
curve with which those of inputs that matter come first, and in how many maps it is 0.95 or more.

Run ``python benchmarks/planted_weights.py --seeds 12``; ``--rows`` says how many rows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import bayescape as bs
from bayescape.landscape.conserved import aligned_minima, determined

ROWS = {"teacher": 5000, "noise": 1000, "rule": 2000}
MEASURES = ("consistency", "strength", "determined")
FIRST = 1000  # seed


def teacher(rows, rng, sizes):
    """Eight inputs, and what a network that feels three of them gives."""
    X = rng.normal(size=(rows, 8))
    signs, feeds = rng.choice([-1, 1], size=(3, 3)), rng.uniform(0.5, 1.5, size=(3, 3))
    out = rng.choice([-1, 1], size=3) * rng.uniform(*sizes, size=3)
    score = np.tanh(X[:, :3] @ (signs * feeds).T + 0.5 * rng.normal(size=3)) @ out
    return X, score


def problem(kind, rows, seed):
    """The loss, and how many inputs matter."""
    rng = np.random.default_rng(seed)
    if kind == "rule":
        X = rng.normal(size=(rows, 6))
        y = (np.sin(2 * X[:, 0]) + X[:, 1] ** 2 > 0.5).astype(int)
        module = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
        return bs.NetworkLoss(module, X, y, l2=0.1), 2
    module = nn.Sequential(nn.Linear(8, 3), nn.Tanh(), nn.Linear(3, 1))
    if kind == "noise":
        X, score = teacher(rows, rng, (1, 2))
        y = (score - score.mean()) / score.std() + np.sqrt(0.1) * rng.normal(size=rows)
        return bs.NetworkLoss(module, X, y, "mse", noise=0.1, l2=0.3), 3
    X, score = teacher(rows, rng, (2, 4))
    odds = score - np.median(score)
    y = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    return bs.NetworkLoss(module, X, y, l2=0.3), 3


def areas(kind, rows, seed):
    """Number of minima, and the area under the curve by measure."""
    target, known = problem(kind, rows, seed)
    landscape = bs.explore(target, seed=seed, progress=False, max_quenches=16, budget=20_000)
    theta = aligned_minima(landscape)
    mean, spread, size = theta.mean(axis=0), theta.std(axis=0), np.sqrt((theta**2).mean())
    # As `bs.conserved` has them, which wants three minima at least, for its groups.
    measures = {
        "consistency": np.abs(mean) / np.sqrt((theta**2).mean(axis=0)),
        "strength": np.abs(mean) / (spread + size),
        "determined": determined(landscape, theta),
    }
    feeds = [i for i, name in enumerate(target.names) if name.startswith("0.weight")]
    matters = [int(target.names[i][:-1].split(",")[1]) < known for i in feeds]
    return len(theta), {of: roc_auc_score(matters, by[feeds]) for of, by in measures.items()}


def main() -> None:
    """Map, rank, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=sorted(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=FIRST, help="seed")
    parser.add_argument("--rows", type=int, help="by default as many as each kind of data needs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for kind in given.kinds:
        rows = given.rows or ROWS[kind]
        found = [areas(kind, rows, given.first + i) for i in range(given.seeds)]
        minima = [count for count, _ in found]
        print(f"{kind}, {rows} rows, {given.seeds} maps of {min(minima)} to {max(minima)} minima")
        for of in MEASURES:
            area = np.array([by[of] for _, by in found])
            print(
                f"  {of:>11}: smallest {area.min():.3f}, median {np.median(area):.3f}, "
                f"{(area >= 0.95).sum()} of {len(area)} are 0.95 or more",
                flush=True,
            )


if __name__ == "__main__":
    main()
