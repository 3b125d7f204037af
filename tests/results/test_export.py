"""Runs are written where the user says, or the user hears why not."""

import pytest

from edgebench.errors import ConfigError
from edgebench.results.cells import read_cells
from edgebench.results.export import Readable, export


@pytest.fixture
def run(spec_of, recorded_of):
    spec = spec_of("float")
    recorded = {spec.key: recorded_of(spec, [1.0, 1.1])}
    cells = read_cells([spec], recorded, margin_ratio=0.05, ci_ratio=0.2)
    return Readable(name="r1", cells=cells, checked=(), advice=())


@pytest.mark.parametrize("name", ["a.csv", "b.md"])
def test_the_ending_names_the_format(tmp_path, run, name):
    assert "r1" in export([run], str(tmp_path / name)).read_text()


@pytest.mark.parametrize("name", ["dir.csv", "afile/x.md", "a.xlsx"])
def test_a_target_that_cannot_be_written_is_refused(tmp_path, run, name):
    (tmp_path / "dir.csv").mkdir()
    (tmp_path / "afile").write_text("")
    with pytest.raises(ConfigError, match=name):
        export([run], str(tmp_path / name))
