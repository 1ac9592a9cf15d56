"""Draw the picture of the README: the Nile's flow, and the map of the posterior behind it."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import bayescape as bs
from bayescape.study.demo import nile, nile_settings


def draw(path: Path) -> None:
    """Map the posterior of the demo, draw from it, and write two panels to ``path``."""
    table = nile()
    target = bs.GaussianProcess(
        table.X,
        table.y,
        kernel="matern",
        nu=2.5,
        priors=nile_settings().priors,
        input_names=table.input_names,
        output_name="flow of the Nile, 10⁸ m³ a year",
    )
    landscape = bs.explore(target, seed=0, progress=False)
    posterior = bs.sample(landscape, seed=0, progress=False)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 3.8), width_ratios=(1.7, 1), layout="constrained"
    )
    bs.plot_predictions(landscape, posterior, ax=left)
    bs.plot_disconnectivity(landscape, ax=right)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
