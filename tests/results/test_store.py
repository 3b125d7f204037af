"""A run on disk survives whatever ends the program that writes it."""

import json

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import ConfigError
from edgebench.results.store import (
    RunDocument,
    create_run,
    find_runs,
    read_all,
    read_recorded,
    read_run,
    write_recorded,
    write_run,
    written,
)


@pytest.fixture
def document():
    return RunDocument(
        command="run",
        name="my plan",
        created="2026-01-01T00:00:00+00:00",
        base="/somewhere",
        plan={"schema": 1},
        protocol={"preset": "quick"},
        host={"python": "3.11"},
        seed=3,
        not_built={"a.onnx": (Reason.NO_EFFECT, "nothing to do")},
    )


def test_a_run_comes_back_as_it_was(tmp_path, document, spec_of):
    folder = create_run(tmp_path, document)
    assert read_run(folder) == document
    assert find_runs(tmp_path) == (folder,)


def test_a_measurement_comes_back_with_every_sample(tmp_path, document, spec_of, recorded_of):
    spec = spec_of("int8")
    folder = create_run(tmp_path, document)
    write_run(folder, document)
    recorded = recorded_of(spec, [1.0, 2.0], scores=[1, 0, 1])
    write_recorded(folder, recorded)
    back = read_recorded(folder, spec.key)
    assert back is not None
    assert back.measurement == recorded.measurement
    assert {b: s.tolist() for b, s in back.samples.items()} == {
        b: s.tolist() for b, s in recorded.samples.items()
    }
    assert back.scores is not None
    assert back.scores.tolist() == [1, 0, 1]


def test_samples_that_no_document_speaks_of_are_those_of_a_process_cut_off(
    tmp_path, spec_of, recorded_of
):
    spec = spec_of("int8")
    write_recorded(tmp_path, recorded_of(spec, [1.0]))
    both = recorded_of(spec, [1.0, 2.0])
    np.savez(
        tmp_path / "samples" / f"{spec.key}.npz",
        **{f"latency_ns_{block}": ns for block, ns in both.samples.items()},
    )
    back = read_recorded(tmp_path, spec.key)
    assert back is not None
    assert list(back.samples) == [0]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")

    def write():
        with written(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "holds no run.json"),
        ("{", "run.json"),
        ('{"schema": "edgebench.run/9"}', "schema"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_run(tmp_path)


def test_a_cell_that_is_not_measured_is_not_there(tmp_path, document, spec_of, recorded_of):
    done, todo = spec_of("int8"), spec_of("float16")
    write_recorded(tmp_path, recorded_of(done, [1.0]))
    run = RunDocument(**{**_fields(document), "cells": (done, todo)})
    assert list(read_all(tmp_path, run)) == [done.key]


def test_a_result_is_readable_by_everybody_who_may_read_the_folder(tmp_path, document):
    folder = create_run(tmp_path, document)
    assert (folder / "run.json").stat().st_mode & 0o044
    assert json.loads((folder / "run.json").read_text())["schema"] == "edgebench.run/1"


def _fields(document):
    return {name: getattr(document, name) for name in document.__dataclass_fields__}
