"""Landscapes of neural networks' losses on four real data sets, mapped and verified.

For iris, wine, breast cancer and three classes of digits: a network of one hidden layer is mapped
within a limit of time, and then every point of the map is judged afresh. A minimum has a gradient
below 1e-6 and no negative eigenvalue, a transition state a gradient below 1e-6 and exactly one, by
Lanczos on Hessian-vector products, which the search did not use. Printed for each set: weights,
minima, transition states, parts of the graph, coverage, largest gradient, seconds, and whether all
is as it should be. Maps go to a folder, from which a run that was stopped goes on; the table also
goes to ``benchmarks/network_results.json``. With ``--topsearch`` IBM's TopSearch maps the same loss
for as long, at most, and what it claims is judged in the same way.

Run ``python benchmarks/networks.py --sets iris wine --minutes 25 --folder maps``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import networkx as nx
import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

import bayescape as bs
from bayescape.explore.captors import Captors
from bayescape.explore.quench import QuenchStatus, quench
from bayescape.explore.saddle import SaddleStatus, follow
from benchmarks.mapping import topsearch_peer
from benchmarks.mapping.problems import Problem
from benchmarks.network_data import SETS, data, module

# Of iris and wine the weakest, which leaves the most minima; cancer has them without end there.
L2 = {"iris": 0.01, "wine": 0.01, "cancer": 1.0, "digits": 0.3}
# Its quenches end after 200 steps, by when hardly any has a gradient below the usual 1e-5.
RECIPE = {"hops": 400, "tolerance": 1e-2, "ts_tolerance": 1e-4}
BOX, STEP = 10.0, 0.1  # of TopSearch: largest weight, and steps of its basin hopping by the width
TABLE = Path(__file__).parent / "network_results.json"
TOLERANCE = 1e-6


def target_of(name):
    """The loss of a set's network."""
    return bs.NetworkLoss(module(name), *data(name), l2=L2[name])


def lowest_curvatures(target, point):
    """The two smallest eigenvalues of the Hessian, by Lanczos."""
    d = len(point)

    def product(v):
        return target.hessian_vector_product(point[None], v.reshape(1, -1))[0]

    operator = LinearOperator((d, d), matvec=product, dtype=float)
    start = np.random.default_rng(0).standard_normal(d)
    # As many vectors as coordinates, for the soft modes are close beside the span of the spectrum.
    found = eigsh(operator, k=2, which="SA", v0=start, ncv=d, return_eigenvectors=False)
    return np.sort(found)


def judged(target, points):
    """Largest gradient norm, and how many negative eigenvalues each point has, two at most."""
    theta = points["theta"].values
    if not len(theta):
        return 0.0, np.empty(0, int)
    gradient = np.linalg.norm(target.energy_and_gradient(theta)[1], axis=1)
    negative = [(lowest_curvatures(target, point) < 0).sum() for point in theta]
    return float(gradient.max()), np.array(negative)


def row_of(name, landscape, target):
    """What is said of a map."""
    at_minima, no_negative = judged(target, landscape.minima)
    at_states, one_negative = judged(target, landscape.transition_states)
    sizes = [len(part) for part in nx.connected_components(landscape.graph)]
    right = max(at_minima, at_states) < TOLERANCE
    right &= bool((no_negative == 0).all() and (one_negative == 1).all())
    return {
        "set": name,
        "l2": target.l2,
        "weights": len(target.names),
        "minima": landscape.minima.sizes["minimum"],
        "transition_states": landscape.transition_states.sizes["transition_state"],
        "parts": len(sizes),
        "largest_part": max(sizes, default=0),
        "coverage": round(landscape.coverage, 3),
        "quenches": int(landscape.minima["hits"].sum()),
        "largest_gradient": max(at_minima, at_states),
        "verified": right,
        "log_images": round(float(landscape.minima["log_multiplicity"].values.max()), 2),
        "seconds": round(landscape.seconds),
        "evaluations": landscape.evaluations.asdict(),
        "stopped": landscape.stopped,
    }


def topsearch_row(name, target, python, minutes, seed):
    """What TopSearch finds on the same loss, in a box of weights up to ``BOX``.

    It knows no exchange of hidden units, so what it claims is brought to rest and counted up to
    them, as ours is: only a claim near which there is a stationary point of its kind counts.
    """
    X, y = data(name)
    labels, d = np.unique(y, return_inverse=True)[1], len(target.names)
    spec = {"kind": "network", "inputs": X.tolist(), "labels": labels.tolist()}
    spec |= {"hidden": SETS[name][2], "l2": L2[name]}
    box = np.array([[-BOX], [BOX]]) * np.ones(d)
    problem = Problem(name, target, box, spec)
    limits = {"most_evaluations": 1e9, "most_seconds": 60 * minutes}
    (outcome,) = topsearch_peer.run(python, problem, seed, steps=(STEP,), **limits, **RECIPE)
    rest = quench(target, outcome.minima) if len(outcome.minima) else None
    tops = outcome.states
    if len(tops):
        modes = np.linalg.eigh(target.hessian(tops))[1][:, :, 0]
        passes = follow(target, tops, modes, max_steps=100)
    return {
        "minima_claimed": len(outcome.minima),
        "minima": distinct(target, rest, QuenchStatus.MINIMUM) if rest else 0,
        "transition_states_claimed": len(tops),
        "transition_states": (
            distinct(target, passes, SaddleStatus.TRANSITION_STATE) if len(tops) else 0
        ),
        "seconds": round(outcome.seconds),
        "evaluations": outcome.evaluations.asdict(),
        "stopped": outcome.stopped,
    }


def distinct(target, ends, status):
    """How many different points, up to exchanges of units, ended as they should."""
    known = Captors.none(len(target.names), target.equivalence)
    for row in np.flatnonzero(ends.status == status):
        if not known.same(ends.theta[[row]], ends.energy[[row]]).any():
            known = known.with_point(ends.theta[row], float(ends.energy[row]), ends.hessian[row])
    return len(known)


def mapped(name, folder, minutes, quenches, seed):
    """The map of a set, from its file if it is there."""
    target, path = target_of(name), folder / f"{name}.nc"
    if not path.exists():
        landscape = bs.explore(
            target,
            seed=seed,
            budget=f"{minutes} min",
            max_quenches=quenches,
            checkpoint=folder / f"{name}.checkpoint",
        )
        landscape.save(path)
    return bs.load_landscape(path, target)


def main() -> None:
    """Map, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    parser.add_argument("--minutes", type=float, default=25.0, help="for each set")
    parser.add_argument("--quenches", type=int, default=96, help="scattered starts, at most")
    parser.add_argument("--folder", type=Path, default=Path("maps"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--topsearch", type=Path, metavar="FOLDER", help="where its environment is made"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for name in given.sets:
        landscape = mapped(name, given.folder, given.minutes, given.quenches, given.seed)
        before = table.get(name, {})
        table[name] = row = row_of(name, landscape, landscape.target)
        if "topsearch" in before:
            row["topsearch"] = before["topsearch"]
        if given.topsearch:
            python = topsearch_peer.environment(given.topsearch)
            row["topsearch"] = topsearch_row(
                name, landscape.target, python, given.minutes, given.seed
            )
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
        print(
            f"{name:>7}: {row['weights']} weights, {row['minima']} minima, "
            f"{row['transition_states']} transition states, {row['parts']} part(s), "
            f"coverage {row['coverage']:.2f}, gradients below {row['largest_gradient']:.1e}, "
            f"{'verified' if row['verified'] else 'NOT VERIFIED'}, {row['seconds']} s"
        )
        if "topsearch" in row:
            peer = row["topsearch"]
            print(
                f"         TopSearch: {peer['minima']} minima of {peer['minima_claimed']} claimed, "
                f"{peer['transition_states']} transition states of "
                f"{peer['transition_states_claimed']}, {peer['seconds']} s; {peer['stopped']}"
            )


if __name__ == "__main__":
    main()
