"""Draw the picture of the README: the Nile's flow, and the map of the posterior behind it."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes

import bayescape as bs
from bayescape.plots.style import basin_colour
from bayescape.study.demo import nile, nile_settings
from bayescape.study.units import in_data_units


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
        1, 2, figsize=(11, 3.9), width_ratios=(1.9, 1), layout="constrained"
    )
    bs.plot_predictions(landscape, posterior, ax=left)
    _draw_basins(right, target, landscape, posterior)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _draw_basins(
    ax: Axes, target: bs.GaussianProcess, landscape: bs.Landscape, posterior: xr.DataTree
) -> None:
    """Draw the posterior over lengthscale and noise, each draw in the colour of its basin."""
    draws = posterior["posterior"].to_dataset()
    natural = in_data_units(target, {name: v.values for name, v in draws.data_vars.items()})
    minima = in_data_units(target, target.constrain(landscape.minima["theta"].values))
    horizontal, vertical = "lengthscale of year", "noise, standard deviation"
    basins = posterior["sample_stats"]["basin"].values
    for basin in range(landscape.minima.sizes["minimum"]):
        inside = basins == basin
        colour = basin_colour(basin)
        share = inside.mean()
        ax.scatter(
            natural[horizontal][inside],
            natural[vertical][inside],
            s=6,
            color=colour,
            alpha=0.45,
            linewidths=0,
            label=f"basin {basin}: {share:.0%}",
        )
        ax.plot(
            minima[horizontal][basin],
            minima[vertical][basin],
            "o",
            markersize=9,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=2,
        )
    ax.set_xscale("log")
    ax.tick_params(labelsize=8)
    ax.set_xlabel("lengthscale, years", fontsize=9)
    ax.set_ylabel("noise, 10⁸ m³ a year", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="upper left", markerscale=2, fontsize=8)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
