"""A run on disk survives whatever ends the program that writes it."""

import json

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import ConfigError, NotDone
from edgebench.results.store import (
    RunDocument,
    create_run,
    read_all,
    read_recorded,
    read_run,
    write_recorded,
    write_run,
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


def test_a_run_comes_back_as_it_was(tmp_path, document):
    folder = create_run(tmp_path, document)
    assert read_run(folder) == document


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


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-30])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def _other(path):
    np.savez(path, latency_ns_7=np.ones(3))


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no archive"),
    "truncated": _truncate,
    "one byte": _flip,
    "other blocks": _other,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_samples_that_are_damaged_are_named_with_a_way_out(tmp_path, spec_of, recorded_of, damage):
    spec = spec_of("int8")
    write_recorded(tmp_path, recorded_of(spec, [1.0, 2.0]))
    damage(tmp_path / "samples" / f"{spec.key}.npz")
    with pytest.raises(ConfigError, match=rf"{spec.key}\.npz") as caught:
        read_recorded(tmp_path, spec.key)
    document = tmp_path / "measurements" / f"{spec.key}.json"
    assert caught.value.hint is not None
    assert f"Remove {str(document)!r}" in caught.value.hint
    assert f"edgebench run --resume {tmp_path}" in caught.value.hint
    document.unlink()
    assert read_recorded(tmp_path, spec.key) is None


@pytest.mark.parametrize("text", [b"", b"{", b'{"schema": 1}', b"\xff\xfe"])
def test_a_measurement_that_is_damaged_is_named(tmp_path, spec_of, recorded_of, text):
    spec = spec_of("int8")
    write_recorded(tmp_path, recorded_of(spec, [1.0]))
    (tmp_path / "measurements" / f"{spec.key}.json").write_bytes(text)
    with pytest.raises(ConfigError, match=rf"{spec.key}\.json") as caught:
        read_recorded(tmp_path, spec.key)
    assert "--resume" in str(caught.value.hint)


def test_a_run_is_not_made_where_nothing_can_be(tmp_path, document):
    (tmp_path / "afile").write_text("")
    with pytest.raises(ConfigError, match=r"afile.*Not a directory"):
        create_run(tmp_path / "afile" / "x", document)


def test_a_measurement_that_cannot_be_kept_ends_the_run_as_not_done(tmp_path, spec_of, recorded_of):
    (tmp_path / "samples").write_text("")
    with pytest.raises(NotDone, match="samples") as caught:
        write_recorded(tmp_path, recorded_of(spec_of("int8"), [1.0]))
    assert caught.value.exit_code == 3


def _fields(document):
    return {name: getattr(document, name) for name in document.__dataclass_fields__}
