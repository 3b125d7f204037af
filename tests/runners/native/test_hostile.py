"""Whatever a job and its samples hold, a result comes of it: by AddressSanitizer and UBSan."""

import json
import subprocess

import numpy as np
import pytest

from edgebench.errors import JobFailed
from edgebench.runner import RunnerJob, WatchSpec, Windows, read_result
from tests.runners.conftest import SHORT
from tests.runners.native.conftest import library_of, runtime_of

# Memory that is held to the end is no leak of a process that ends.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin:/bin"}
BROKEN_JOBS = {
    b"": "a value is expected at byte 0",
    b"[" * 100000: "nested too deeply",
    b"[]": "document is not an object",
    b"{} {}": "something follows its end",
    b'{"a": 1,}': "a string is expected",
    b'{"a" 1}': "a colon is expected",
    b'{"a": 01}': "a comma or a closing bracket",
    b'{"a": 1e999}': "a number is too large",
    b'{"a": 1.}': "no digit after its point",
    b'{"a": -}': "a value is expected",
    b'{"a": nul}': "a value is expected",
    b'{"a": "\xff"}': "no UTF-8",
    b'{"a": "\xed\xa0\x80"}': "no UTF-8",
    b'{"a": "\\ud800"}': "an escape is wrong",
    b'{"a": "\\u0000"}': "an escape is wrong",
    b'{"a": "\n"}': "a control character",
    b'{"a": "': "a string does not end",
    b'{"schema": "edgebench.job/9"}': "'edgebench.job/9'; this runner reads edgebench.job/1",
}


def answer(program, folder, document, library="/nowhere.so"):
    """The result of a job as it is, of a runner that did not crash."""
    (folder / "job.json").write_bytes(document)
    (folder / "result.json").unlink(missing_ok=True)
    argv = [str(program), str(library), str(folder / "job.json")]
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, timeout=60, check=False)
    assert (done.returncode, b"Sanitizer" in done.stderr) in [(0, False), (1, False)], done.stderr
    return read_result((folder / "result.json").read_bytes())


def job_of(model, **options):
    asked = {"kind": "outputs", "runtime": "litert", "seed": 7, **options}
    return RunnerJob(model=str(model), **asked).to_json().encode()


@pytest.mark.parametrize("document", BROKEN_JOBS, ids=[str(n) for n in range(len(BROKEN_JOBS))])
def test_what_is_no_job_is_answered(sanitized, tmp_path, document):
    with pytest.raises(JobFailed) as failure:
        answer(sanitized, tmp_path, document)
    assert BROKEN_JOBS[document] in str(failure.value)
    assert failure.value.reason == "runtime_error"


def test_a_job_that_was_cut_off_is_answered(sanitized, tmp_path):
    whole = job_of("model.tflite", shapes={"x": (1, 2)}, ranges={"x": (0.5, 1)}, cpus=(0,))
    for size in range(0, len(whole), 23):
        with pytest.raises(JobFailed):
            answer(sanitized, tmp_path, whole[:size])


@pytest.mark.parametrize("key", ["kind", "model", "threads", "loop", "shapes", "seed", "cpus"])
@pytest.mark.parametrize("value", [None, [], {}, "x" * 5000, -1, 1e300, [[1]], True, ""])
def test_a_job_with_another_value_is_answered(sanitized, tmp_path, key, value):
    document = {**json.loads(job_of("/nowhere/model.tflite")), key: value}
    with pytest.raises(JobFailed):
        answer(sanitized, tmp_path, json.dumps(document).encode())


@pytest.fixture
def feed(sanitized, tflite, tmp_path):
    """The result of feeding a file to a small model of the sanitized runner."""
    model = tflite / "cumulated.tflite"

    def run(content, **options):
        (tmp_path / "samples.npz").write_bytes(content)
        document = job_of(model, inputs="samples.npz", **options)
        return answer(sanitized, tmp_path, document, library_of("litert"))

    return run


@pytest.fixture
def archive(tmp_path):
    np.savez(tmp_path / "whole.npz", x=np.ones((1, 8), np.float32))
    return (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize("kind", ["outputs", "latency", "memory", "energy"])
def test_every_pass_is_done_without_a_finding(feed, archive, kind):
    windows = Windows(idle_s=0.05, active_s=0.05)
    watch = WatchSpec(sources=({"name": "load", "path": "/proc/loadavg", "period_s": 0.01},))
    result = feed(archive, kind=kind, loop=SHORT, windows=windows, watch=watch)
    assert kind == "outputs" or getattr(result, kind) is not None


@pytest.mark.parametrize("kind", ["outputs", "latency"])
def test_every_pass_of_onnxruntime_is_done_without_a_finding(sanitized, onnx_model, tmp_path, kind):
    from onnx import TensorProto, helper

    node = helper.make_node("Add", ["x", "x"], ["y"])
    value = (TensorProto.FLOAT16, ["n", 3])
    model = onnx_model([node], {"x": value}, {"y": value})
    runtime = runtime_of(model)
    document = job_of(model, runtime=runtime, kind=kind, loop=SHORT, save_inputs="in.npz")
    assert answer(sanitized, tmp_path, document, library_of(runtime)).status == "ok"


def test_samples_that_were_cut_off_are_refused(feed, archive):
    for size in range(0, len(archive), 29):
        with pytest.raises(JobFailed) as failure:
            feed(archive[:size])
        assert failure.value.reason == "unsupported_input"


def test_samples_with_a_wrong_byte_are_refused_or_are_what_they_say(feed, archive):
    random = np.random.default_rng(0)
    heads = [*range(30), *range(len(archive) - 80, len(archive))]
    for place in random.choice(heads, 40, replace=False):
        broken = bytearray(archive)
        broken[place] ^= int(random.integers(1, 256))
        try:
            result = feed(bytes(broken))
        except JobFailed as error:
            assert error.reason == "unsupported_input"  # noqa: PT017
        else:
            assert result.status == "ok"


def with_head(words):
    """An archive of one array whose head is as given, with its checksum right."""
    import io
    import zipfile

    head = words.encode("latin-1")
    data = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(32)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("x.npy", data)
    return stream.getvalue()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 9)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 40 + ")}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 8)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1, 8)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1, 8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8)",
    ],
)
def test_a_head_that_lies_is_refused(feed, head):
    with pytest.raises(JobFailed) as failure:
        feed(with_head(head))
    assert failure.value.reason == "unsupported_input"


def test_a_right_head_is_taken_however_it_is_spaced(feed):
    head = "{ 'shape':(1,8 ,),'fortran_order' : False,\n'descr':'<f4' }  "
    assert feed(with_head(head)).status == "ok"
