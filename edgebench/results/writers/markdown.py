"""`.md`: what a person reads in a pull request."""

from pathlib import Path

from edgebench.results.files import written
from edgebench.results.frames import Tables
from edgebench.results.tables import markdown


def write(tables: Tables, target: str) -> list[str]:
    """A section a run; what the file held before is gone."""
    texts = [markdown(r.cells, r.checked, r.advice, run=r.name) for r in tables.runs]
    with written(Path(target)) as file:
        file.write("\n".join(texts).encode("utf-8", "replace"))
    return [target]
