"""One self-contained HTML file: its data, its script and plotly inlined, and no network asked.

Names of models, variants and devices are texts everywhere: jinja2 escapes them, the data is JSON in
which no `<` stands, and the script sets texts and never markup. Should one of these fail, the
page's own policy still runs only the two scripts whose digests it names.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import edgebench
from edgebench.results.files import written
from edgebench.results.report.answer import card_of
from edgebench.results.report.contents import Contents, contents_of, names_of
from edgebench.results.report.digest import RunDigest
from edgebench.results.report.figure import Figure
from edgebench.results.report.figures import figures_of
from edgebench.results.report.grids import grids_of

SCRIPTS: Final = ("tables.js", "charts.js", "page.js")
PARTS: Final = {
    "answer": "What to ship",
    "trend": "Over the runs",
    "targets": "Targets",
    "cells": "All cells",
    "devices": "Devices",
    "cell": "One cell",
    "gaps": "What is missing",
    "how": "How it was measured",
}


def write(runs: Sequence[RunDigest], path: Path, *, with_trend: bool = False) -> None:
    """Write the report of these runs.

    Raises:
        NotDone: It cannot be written.
    """
    text = page_of(contents_of(runs), with_trend=with_trend)
    with written(path) as file:
        file.write(text.encode("utf-8", "replace"))


def page_of(contents: Contents, *, with_trend: bool) -> str:
    """The whole page."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    figures = {figure.name: figure for figure in figures_of(contents, with_trend=with_trend)}
    plotly, script = _plotly(), "\n".join(map(_resource, SCRIPTS))
    # What a text of ours would be escaped for has no place in a script: both are written by us.
    environment = Environment(
        autoescape=True, loader=FunctionLoader(_resource), undefined=StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        version=edgebench.__version__,
        title=f"edgebench: {_models(contents)}",
        heading=_models(contents),
        subtitle=_subtitle(contents),
        runs=len(contents.runs),
        parts=[(name, text) for name, text in PARTS.items() if name != "trend" or with_trend],
        cards=[card_of(here) for here in contents.places],
        cells=contents.cells,
        figures={"trend": None, **figures},
        of_cell=[name for name, figure in figures.items() if figure.is_of_cell],
        hashes=Markup(" ".join(map(_hash, (plotly, script)))),
        css=Markup(_resource("page.css")),
        plotly=Markup(plotly),
        script=Markup(script),
        data=Markup(_json(_data(contents, list(figures.values())))),
    )


@cache
def _resource(name: str) -> str:
    return (resources.files("edgebench.results.report") / "page" / name).read_text("utf-8")


@cache
def _plotly() -> str:
    """Plotly's own script, from its package."""
    from plotly.offline import get_plotlyjs

    # The parser of HTML makes each line's end one character, and the digest is of that.
    text: str = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    """How a policy names an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(document: Any) -> str:  # noqa: ANN401 - JSON
    r"""JSON that may stand in a script element.

    >>> _json({"name": "</script>&"})
    '{"name":"\\u003c/script\\u003e\\u0026"}'
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _data(contents: Contents, figures: Sequence[Figure]) -> dict[str, Any]:
    groups = [{"label": here.title, "options": names_of(here.cells)} for here in contents.places]
    advised = [here.advised for here in contents.places]
    chosen = [n for n, (_, cell) in enumerate(contents.cells) if any(cell is a for a in advised)]
    return {
        "tables": [asdict(grid) for grid in grids_of(contents)],
        "figures": [_figure(figure) for figure in figures if figure.gap is None],
        "groups": groups,
        "chosen": chosen[0] if chosen else 0,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "is_of_cell": figure.is_of_cell,
        "choices": [{"label": c.label, "options": c.options} for c in figure.choices],
        "views": {
            key: {"gap": view.gap}
            if view.gap
            else {
                "alt": view.alt,
                "traces": view.traces,
                "layout": view.layout,
                "width_max_px": view.width_max_px,
                "columns": view.columns,
                "rows": view.rows,
            }
            for key, view in figure.views.items()
        },
    }


def _models(contents: Contents) -> str:
    names = list(dict.fromkeys(run.models for run in contents.runs))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _subtitle(contents: Contents) -> str:
    cells = sum(len(run.cells) for run in contents.runs)
    devices = list(dict.fromkeys(here.device for here in contents.places))
    count = len(devices)
    where = devices[0] if count == 1 else f"{count} devices"
    if len(contents.runs) == 1:
        run = contents.runs[0]
        return f"{cells} cells on {where}, measured {run.created} ({run.name})"
    first, last = contents.runs[-1].created[:10], contents.runs[0].created[:10]
    return f"{cells} cells of {len(contents.runs)} runs on {where}, {first} to {last}"
