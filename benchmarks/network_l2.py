"""How strong the prior of a network's weights should be: cross-validation on four data sets.

In five folds each, the best of four trained networks is judged by the rows left out. Printed: mean
log loss (nats a row) and accuracy by set and ``l2``, and of all sets the mean of the log loss over
the least of its set: ``python benchmarks/network_l2.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold

import bayescape as bs
from bayescape.explore.quench import quench
from benchmarks.network_data import SETS, data, module

GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS, RESTARTS = 5, 4


def left_out(name, l2):
    """Log loss and accuracy on the rows of each fold, ``(FOLDS, 2)``."""
    X, y = data(name)
    scores = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y):
        target = bs.NetworkLoss(module(name), X[train], y[train], l2=l2)
        ends = quench(target, target.starts(RESTARTS, np.random.default_rng(0)))
        best = ends.theta[[np.nanargmin(ends.energy)]]
        guess = target.predict_proba(best, X[test])[0]
        labels = np.unique(y)
        hit = accuracy_score(y[test], labels[guess.argmax(axis=1)])
        scores.append((log_loss(y[test], guess, labels=labels), hit))
    return np.array(scores)


def main() -> None:
    """Cross-validate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    losses = pd.DataFrame(index=pd.Index(GRID, name="l2"), columns=given.sets, dtype=float)
    hits = losses.copy()
    for name in given.sets:
        for l2 in GRID:
            losses.loc[l2, name], hits.loc[l2, name] = left_out(name, l2).mean(axis=0)
    losses["over the least"] = (losses / losses.min()).mean(axis=1)
    print(losses.round(4).to_string(), "\n\naccuracy\n", hits.round(4).to_string(), sep="")


if __name__ == "__main__":
    main()
