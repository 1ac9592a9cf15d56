"""IBM's TopSearch as a participant: its environment, made on first use, and its runs in it.

TopSearch asks for NumPy below 2, so it cannot live beside bayescape. Its environment has the same
SciPy and Numba as the pins below, and its process loads the likelihood's own modules from this
repository (see `benchmarks.mapping.topsearch_worker`): both sides call the same compiled function.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayescape.evaluations import Evaluations
from benchmarks.mapping.outcome import Outcome
from benchmarks.mapping.problems import Problem

__all__ = ["STEPS", "Unavailable", "environment", "run", "versions"]

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("topsearch_worker.py")
PINS = ("topsearch==0.0.3", "numpy==1.26.4", "scipy==1.17.1", "numba==0.65.1", "threadpoolctl")
PYTHONS = ((3, 11), (3, 12))  # that both TopSearch 0.0.3 and bayescape's modules run on
STEPS = (0.3, 0.6, 1.0)  # of basin hopping, of the box's width
TAG = "topsearch's environment: "
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

# Begun from TopSearch's own examples on a Gaussian process's surface (acquisition_landscape) and on
# Schwefel's function (simple_landscape), and then made cheaper for as long as it found as much:
# 100 hops in place of 1,000; on Schwefel's, 600 hops and bands of at most 15 images in place of 50,
# which is a third of the cost.
RECIPE = {
    "hops": 100,
    "tolerance": 1e-5,
    "temperature": 100.0,
    "distance": 0.01,
    "energy": 1e-2,
    "ts_tolerance": 1e-5,
    "pushoff": 0.3,
    "force_constant": 25.0,
    "image_density": 20.0,
    "max_images": 20,
    "neighbours": 4,
}
ON_SCHWEFEL = {
    "hops": 600,
    "ts_tolerance": 1e-4,
    "pushoff": 1.0,
    "force_constant": 10.0,
    "image_density": 0.1,
    "max_images": 15,
    "neighbours": 6,
}
RECIPES: Mapping[str, Mapping[str, float]] = {
    "schwefel-2": ON_SCHWEFEL,
    "schwefel-3": ON_SCHWEFEL | {"hops": 4000},
    "mueller-brown": {"pushoff": 0.1, "image_density": 10.0},
    "mixture": {"hops": 200},
}


class Unavailable(Exception):
    """TopSearch cannot be run here; the message says why and what to do."""


def environment(folder: Path) -> Path:
    """The Python of an environment with TopSearch, made if it is not there.

    Parameters
    ----------
    folder
        Where environments are kept, one for every set of pins.

    Raises
    ------
    Unavailable
        If there is no suitable Python, or the packages cannot be installed.
    """
    key = hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:12]
    home = folder / f"topsearch-{key}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (home / "complete").exists():
        return python
    print(f"setting up TopSearch's environment in {home} (once)", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    try:
        _create(home)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *PINS], capture_output=True, text=True, check=False)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(
            f"TopSearch's environment could not be made in {home}: {error}"
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        shutil.rmtree(home, ignore_errors=True)
        raise Unavailable(
            f"TopSearch could not be installed from the package index ({last}); with a network, "
            "run this again, or leave it out by --peers"
        )
    (home / "complete").write_text("\n".join(PINS) + "\n")
    return python


def _create(home: Path) -> None:
    """An empty environment, by this Python or by one on the path that TopSearch supports."""
    if sys.version_info[:2] in PYTHONS:
        venv.create(home, with_pip=True)
        return
    for major, minor in PYTHONS:
        other = shutil.which(f"python{major}.{minor}")
        if other:
            subprocess.run([other, "-m", "venv", str(home)], check=True, capture_output=True)
            return
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    here = ".".join(str(part) for part in sys.version_info[:2])
    raise Unavailable(f"TopSearch needs Python {wanted} on the path; this is Python {here}")


def versions(python: Path | None) -> dict[str, str]:
    """Of the packages that TopSearch runs with, their names marked as in its environment."""
    if python is None:
        return {}
    names = ("topsearch", "numpy", "scipy", "numba")
    script = f"from importlib.metadata import version; print(*map(version, {names}))"
    done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, check=True)
    return {f"{TAG}{name}": v for name, v in zip(names, done.stdout.split(), strict=True)}


def run(
    python: Path,
    problem: Problem,
    seed: int,
    *,
    most_evaluations: float,
    most_seconds: float,
    steps: tuple[float, ...] = STEPS,
    **changes: float,
) -> Iterator[Outcome]:
    """Run TopSearch on a problem once for each step size.

    Parameters
    ----------
    python
        What `environment` returned.
    problem, seed
        What to run on, and from which seed.
    most_evaluations, most_seconds
        Caps of each run.
    steps
        Step sizes of basin hopping, of the box's width.
    **changes
        Entries of the problem's recipe to be changed.

    Raises
    ------
    Unavailable
        If the process fails.
    """
    task: dict[str, Any] = {
        "spec": problem.spec,
        "box": problem.box.tolist(),
        "probe": _probe(problem),
        "seed": seed,
        "steps": steps,
        "recipe": {**RECIPE, **RECIPES.get(problem.name, {}), **changes},
        "most_evaluations": most_evaluations,
        "most_seconds": most_seconds,
    }
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "task.json", Path(folder) / "outcomes.json"
        source.write_text(json.dumps(task))
        command = [str(python), "-W", "ignore", str(WORKER), str(source), str(out)]
        done = subprocess.run(
            command,
            env=os.environ | ONE_THREAD | {"NUMBA_CACHE_DIR": str(_cache(python))},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Unavailable(f"TopSearch failed on {problem.name}: {last}")
        outcomes = json.loads(out.read_text())
    for found in outcomes:
        points = {
            kind: np.array(found.pop(kind), dtype=float).reshape(-1, problem.d)
            for kind in ("minima", "states")
        }
        evaluations = Evaluations(**found.pop("evaluations"))
        yield Outcome(method="topsearch", seed=seed, evaluations=evaluations, **points, **found)


def _probe(problem: Problem) -> dict[str, Any]:
    """A few points with the function there, by which the other process checks its own."""
    theta = np.random.default_rng(0).uniform(*problem.box, (4, problem.d))
    energy, gradient = problem.target.energy_and_gradient(theta)
    return {"theta": theta.tolist(), "energy": energy.tolist(), "gradient": gradient.tolist()}


def _cache(python: Path) -> Path:
    """Where compiled code is kept: apart for every state of the sources, as Numba cannot tell."""
    sources = sorted((ROOT / "bayescape").glob("kernels/*.py"))
    sources += sorted((ROOT / "bayescape").glob("targets/*.py"))
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    return python.parents[1] / "numba" / state
