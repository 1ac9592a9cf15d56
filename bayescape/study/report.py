"""The report: one self-contained page, the verdict first."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bayescape.study.output import all_or_nothing
from bayescape.study.pictures import draw_pictures
from bayescape.study.study import Study
from bayescape.study.tables import (
    basin_table,
    comparison_table,
    cost_table,
    decision_table,
    posterior_table,
)
from bayescape.study.verdict import Verdict, reach_verdict, sentence

__all__ = ["FILES", "render_report", "write_study"]

FILES = {
    "report.html": "this page",
    "landscape.nc": "the map (netCDF)",
    "posterior.nc": "the draws, in ArviZ's format (netCDF)",
    "comparison.csv": "the scores on the test rows",
}


def render_report(study: Study, verdict: Verdict) -> str:
    """Return the page as HTML, with pictures and style inside it.

    Parameters
    ----------
    study
        A finished study.
    verdict
        Its findings in words, by `reach_verdict`.
    """
    environment = Environment(
        loader=PackageLoader("bayescape.study", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fit, comparison = study.fit, study.comparison
    return environment.get_template("report.html").render(
        verdict=verdict,
        pictures=draw_pictures(study),
        one_input=fit.table.X.shape[1] == 1,
        data=_data_sentences(study),
        model=_model_sentences(study),
        ends=sorted(fit.landscape.ends.items(), key=lambda end: -end[1]),
        stopped=sentence(fit.landscape.stopped).rstrip(".") + ".",
        coverage=fit.landscape.coverage,
        basins=basin_table(fit),
        reasons=[sentence(reason) for reason in fit.decision.reasons],
        methods=decision_table(fit),
        posterior=posterior_table(fit),
        comparison=None if comparison is None else comparison_table(comparison, _output(study)),
        test=_test_sentence(study),
        cost=cost_table(study),
        files=files_of(study),
        versions=json.loads(fit.posterior.attrs["versions"]),
        output=_output(study),
        title=f"{_output(study)} by {', '.join(fit.table.input_names[:3])}"
        + (", ..." if len(fit.table.input_names) > 3 else ""),
    )


def write_study(study: Study, out: Path) -> Verdict:
    """Write the page and the files beside it, all of them or none.

    Parameters
    ----------
    study
        A finished study.
    out
        The folder; made if it is not there.

    Returns
    -------
    Verdict
        What the page says first.
    """
    verdict = reach_verdict(study)
    page = render_report(study, verdict)
    with all_or_nothing(out, remove=tuple(FILES)) as partial:
        study.fit.landscape.save(partial / "landscape.nc")
        study.fit.posterior.to_netcdf(partial / "posterior.nc", engine="h5netcdf")
        if study.comparison is not None:
            study.comparison.to_csv(partial / "comparison.csv")
        (partial / "report.html").write_text(page, encoding="utf-8")
    return verdict


def files_of(study: Study) -> dict[str, str]:
    """The files that `write_study` writes, and what each is."""
    missing = {"comparison.csv"} if study.comparison is None else set()
    return {name: what for name, what in FILES.items() if name not in missing}


def _output(study: Study) -> str:
    return study.fit.table.output_name


def _data_sentences(study: Study) -> list[str]:
    table = study.fit.table
    n, p = table.X.shape
    inputs = ", ".join(table.input_names)
    return [
        f"{n:,} rows; {table.output_name} is modelled by {p} "
        f"{'input' if p == 1 else 'inputs'}: {inputs}.",
        f"Source: {table.source}.",
        *table.notes,
    ]


def _model_sentences(study: Study) -> list[str]:
    settings = study.settings
    order = "of inferred order" if settings.nu == "free" else f"of order {settings.nu:g}"
    kernel = "an RBF kernel" if settings.kernel == "rbf" else f"a Matérn kernel {order}"
    scales = "one lengthscale per input" if settings.ard else "one lengthscale for all inputs"
    return [
        f"An exact Gaussian process with {kernel}, {scales} and a {settings.mean} mean; "
        "inputs and output are standardised.",
        f"Priors: {settings.prior_text}.",
        f"Seed {settings.seed}.",
    ]


def _test_sentence(study: Study) -> str:
    if study.test is None:
        return ""
    rows = f"{len(study.test.y)} {'row' if len(study.test.y) == 1 else 'rows'}"
    if study.refitted:
        return (
            f"{rows} were held out, and everything was done a second time without them, for this "
            "table alone: map, decision and draws. All else on this page rests on every row."
        )
    return f"Tested on {rows} of {study.test.source}, none of which were fitted."
