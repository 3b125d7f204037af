"""Documents and arrays that somebody sent."""

import io
import json
import zipfile

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import DeviceError, JobFailed
from edgebench.measure.fetched import arrays_of, samples_of
from edgebench.measure.watched import read_watched
from edgebench.runner import read_result
from edgebench.untrusted import plain, plain_json, read_arrays, read_document

ANSWER = {"schema": "edgebench.result/1", "status": "ok", "runtime": "litert"}


def answer(more: str) -> bytes:
    return (json.dumps(ANSWER)[:-1] + more + "}").encode()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"[" * 1_000_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (answer(', "runtime_version": ' + "9" * 5000), "5000 digits"),
        (answer(', "latency": {"load_ns": NaN}'), "NaN"),
        (answer(', "latency": {"load_ns": -Infinity}'), "Infinity"),
        (answer(', "latency": {"load_ns": 1e999}'), "beyond all bounds"),
        (answer(', "status": "failed"'), "twice"),
        (answer(', "latency": {"load_ns": "\\u001b[2J"}'), "latency"),
        (answer(', "unknown": ["' + "x" * (17 << 20) + '"]'), "bytes"),
        (b"\xff\xfe\0", "decode"),
        (b"", "Expecting value"),
        (b"null", "object"),
    ],
)
def test_a_document_that_is_none_fails_one_cell_in_few_words(document, words):
    with pytest.raises(JobFailed, match=words) as caught:
        read_result(document)
    assert caught.value.reason is Reason.RUNTIME_ERROR
    assert len(str(caught.value)) < 2200
    assert "\x1b" not in str(caught.value)


def test_a_documents_words_are_plain_wherever_they_stand():
    told = answer(
        ', "environment": {"os\\u0007": ["\\u001b[2J", 1]}, "runtime_version": "1\\u009b"'
    )
    found = read_result(told)
    assert found.environment == {"os\\x07": ["\\x1b[2J", 1]}
    assert found.runtime_version == "1\\x9b"


def test_an_error_that_is_a_book_is_a_page():
    told = json.dumps({**ANSWER, "status": "failed", "error": "x" * 100_000}).encode()
    with pytest.raises(JobFailed) as caught:
        read_result(told)
    assert len(str(caught.value)) <= 2000


def test_every_error_is_in_plain_words():
    error = DeviceError("it says \x1b]0;x\x07", hint="try \x9b2J")
    assert str(error) == "it says \\x1b]0;x\\x07"
    assert error.hint == "try \\x9b2J"


@pytest.mark.parametrize("text", ["Zürich 測定 🦉", "two\nlines\tand a tab", ""])
def test_words_of_any_language_stay_as_they_are(text):
    assert plain(text) == text
    assert plain_json([text, 1, 1.5, True, None]) == [text, 1, 1.5, True, None]
    assert read_document(json.dumps(text).encode()) == text


def npz(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def header(shape, descr="<i8", more=b""):
    """An array that says that it has this shape, and has no data."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue() + more


@pytest.mark.parametrize(
    "members",
    [
        {"latency_ns.npy": header((10**14,))},
        {"latency_ns.npy": header((1 << 62, 4))},
        {"latency_ns.npy": header((-1,))},
        {"latency_ns.npy": header((2,), "|O", b"cos\nsystem\n(S'true'\ntR.")},
        {"latency_ns.npy": b"\x93NUMPY\x09\x00"},
        {"latency_ns.npy": b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((("},
        {"latency_ns.npy": b"no array"},
        {"latency_ns.npy": b"\0" * (1100 << 20)},
        {f"{n}.npy": header((0,)) for n in range(5000)},
    ],
    ids=[
        *("too large", "overflow", "negative", "objects", "version", "header", "text", "bomb"),
        "many",
    ],
)
def test_arrays_that_are_none_fail_one_cell(tmp_path, members):
    path = npz(tmp_path / "samples.npz", members)
    with pytest.raises(JobFailed, match=r"samples\.npz") as caught:
        arrays_of(path)
    assert caught.value.reason is Reason.RUNTIME_ERROR


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\0" * 1000])
def test_a_file_that_is_no_archive_fails_one_cell(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(JobFailed):
        arrays_of(tmp_path / "x.npz")


def test_an_archive_that_is_damaged_fails_one_cell(tmp_path):
    np.savez(tmp_path / "x.npz", latency_ns=np.arange(1000))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[2000] ^= 0xFF
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(JobFailed):
        arrays_of(tmp_path / "x.npz")


def test_names_that_lead_elsewhere_are_names_and_write_nothing(tmp_path):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    whole = header((1,), "<i8", bytes(8))
    path = npz(inside / "x.npz", {"../../evil.npy": whole, "/tmp/\x1b.npy": whole})
    found = read_arrays(path)
    assert sorted(found) == ["../../evil", "/tmp/\\x1b"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "x.npz"]


@pytest.mark.parametrize(
    "samples",
    [
        np.arange(3),
        np.array([[1, 2]]),
        np.array([1.0, 2.0]),
        np.array([-1, 5]),
        np.array([1, 2**62]),
        np.array(["1", "2"]),
    ],
)
def test_samples_that_are_no_times_fail_one_cell(tmp_path, samples):
    np.savez(tmp_path / "samples.npz", latency_ns=samples)
    with pytest.raises(JobFailed, match="the 2 times"):
        samples_of(tmp_path / "samples.npz", count=2)


def test_samples_are_times(tmp_path):
    np.savez(tmp_path / "samples.npz", latency_ns=np.array([5, 7], np.uint64))
    assert samples_of(tmp_path / "samples.npz", count=2).tolist() == [5, 7]


def test_a_watchers_file_full_of_nonsense_is_its_readings_alone():
    lines = [
        b"[" * 200_000,
        b'[1, "load", "' + b"9" * 5000 + b'"]',
        b"[" + b"9" * 5000 + b', "load", "0.5"]',
        b'[NaN, "load", "0.5"]',
        b'[3, "load", null, "\x1b[2J"]'.replace(b"\x1b", b"\\u001b"),
        '[4, "load", "²"]'.encode(),
        b'{"begin_ns": 0, "end_ns": 1' + b"0" * 400 + b', "cpu_s": 1.0}',
        b"\xff\xfe",
    ]
    found = read_watched(b"\n".join(lines))
    assert [(r.time_ns, r.text, r.error) for r in found.readings["load"]] == [
        (1, "?", None),
        (3, None, "\\x1b[2J"),
        (4, "?", None),
    ]
    assert found.cost_ratio is None
