"""Pictures for a page that must carry everything within itself."""

from __future__ import annotations

import base64
import dataclasses
import io
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.plots.comparison import plot_comparison
from bayescape.plots.disconnectivity import plot_disconnectivity
from bayescape.plots.heat_capacity import plot_heat_capacity
from bayescape.plots.marginals import plot_marginals
from bayescape.plots.pair import plot_pair
from bayescape.plots.predictions import plot_predictions
from bayescape.study.study import Study

__all__ = ["Picture", "draw_pictures"]

LARGEST_SVG = 400_000  # bytes; past it (thousands of points) a bitmap is smaller
DOTS_PER_INCH = 170


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the address of an ``<img>``, with the text that stands for it."""

    address: str
    alt: str
    width: float


def draw_pictures(study: Study) -> dict[str, Picture]:
    """Draw everything that the report shows.

    Parameters
    ----------
    study
        A finished study.

    Returns
    -------
    dict
        ``disconnectivity`` (with more than one minimum), ``heat_capacity``, ``marginals``,
        ``pair``, ``predictions`` (where there is something to predict at) and ``comparison``.
    """
    fit = study.fit
    landscape, posterior, output = fit.landscape, fit.posterior, fit.table.output_name
    count = landscape.minima.sizes["minimum"]
    found = {}
    if count > 1:
        found["disconnectivity"] = _picture(
            plot_disconnectivity(landscape),
            f"Disconnectivity graph of {count} minima: each ends a branch at its energy, and "
            "branches meet at the lowest transition state between them.",
        )
    found["heat_capacity"] = _picture(
        plot_heat_capacity(thermodynamics(landscape)),
        "Heat capacity over temperature, and the occupation of the minima that makes its peaks.",
    )
    found["marginals"] = _picture(
        plot_marginals(landscape, posterior),
        "Marginal posterior of each hyperparameter, with the minima marked.",
    )
    found["pair"] = _picture(
        plot_pair(landscape, posterior),
        "Posterior of the hyperparameters two by two, with minima and transition states marked.",
    )
    if fit.table.X.shape[1] == 1:
        found["predictions"] = _picture(
            plot_predictions(landscape, posterior),
            f"Predicted {output} with its 50 % and 95 % bands, and the data, over "
            f"{fit.table.input_names[0]}.",
        )
    elif study.compared is not None and study.test is not None:
        found["predictions"] = _picture(
            plot_predictions(
                study.compared.landscape, study.compared.posterior, study.test.X, study.test.y
            ),
            f"Predicted {output} against the true value, for the test rows.",
        )
    if study.comparison is not None:
        found["comparison"] = _picture(
            plot_comparison(study.comparison),
            "Scores of each predictor on the test rows, with standard errors; the numbers are in "
            "the table.",
        )
    return found


def _picture(drawn: Figure, alt: str) -> Picture:
    """Turn a figure into text, and close it."""
    try:
        width = drawn.get_size_inches()[0] * 96
        # A fixed salt, no date: the same study gives the same page.
        with mpl.rc_context({"svg.hashsalt": "bayescape", "svg.fonttype": "path"}):
            data, kind = _rendered(drawn, "svg", metadata={"Date": None}), "svg+xml"
        if len(data) > LARGEST_SVG:
            data, kind = _rendered(drawn, "png", dpi=DOTS_PER_INCH), "png"
    finally:
        plt.close(drawn)
    text = base64.b64encode(data).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", alt, float(width))


def _rendered(figure: Figure, kind: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, bbox_inches="tight", **how)
    return stream.getvalue()
