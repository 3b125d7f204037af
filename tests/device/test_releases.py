import pytest

from edgebench.core import Format
from edgebench.device.releases import (
    FORMATS,
    MODULES,
    RELEASES,
    Release,
    boards,
    fitting,
    numpy_for,
)
from edgebench.device.ways import runtime_for, ways_of
from edgebench.errors import DeviceError
from edgebench.runtimes import RUNS
from tests.conftest import need
from tests.device.boards import replayed_device

FITS = [
    ("pi4-bookworm", "litert", "2.3.0", "2.4.6"),
    ("pi4-bookworm", "onnxruntime", "1.32.0", "2.4.6"),
    ("pi4-bookworm", "tflite-runtime", "2.14.0", "1.26.4"),
    ("pi4-bullseye", "litert", "2.1.0", "2.0.2"),
    ("pi4-bullseye", "onnxruntime", "1.19.2", "2.0.2"),
    ("jetson-xavier-nx-jetpack5", "tflite-runtime", "2.14.0", "1.24.4"),
    ("jetson-xavier-nx-jetpack5", "onnxruntime", "1.19.2", "1.24.4"),
    ("pi3-32-bit-on-a-64-bit-kernel", "tflite-runtime", "2.14.0", None),
]


@pytest.mark.parametrize(("name", "runtime", "version", "numpy"), FITS)
def test_a_board_gets_the_newest_release_that_runs_there(name, runtime, version, numpy, tmp_path):
    (board,) = boards(replayed_device(name, tmp_path).facts)
    release = fitting(runtime, board)
    assert isinstance(release, Release)
    assert (release.version, numpy_for(release, board)) == (version, numpy)


REASONS = [
    ("jetson-xavier-nx-jetpack5", "litert", "is for Python 3.9 to 3.13, the board has 3.8.10"),
    ("jetson-xavier-nx-jetpack5", "litert", "needs glibc 2.34, the board has 2.31"),
    ("jetson-xavier-nx-jetpack5", "litert", "GLIBCXX_3.4.30, the board has up to GLIBCXX_3.4.28"),
    ("pi3-32-bit-without-numpy", "tflite-runtime", "numpy below 2 has no wheel for armv7l"),
    ("pi3-32-bit-without-numpy", "onnxruntime", "no wheel for armv7l"),
    ("alpine", "onnxruntime", "the board has musl 1.2.4"),
    ("alpine", "onnxruntime", "the board has none"),
    ("riscv", "litert", "no wheel for riscv64"),
    ("riscv", "tflite-runtime", "no wheel for riscv64"),
]


@pytest.mark.parametrize(("name", "runtime", "words"), REASONS)
def test_what_does_not_run_on_a_board_is_refused_with_the_reason(name, runtime, words, tmp_path):
    (board,) = boards(replayed_device(name, tmp_path).facts)
    why = fitting(runtime, board)
    assert not isinstance(why, Release)
    assert words in "; ".join(why)


@pytest.mark.parametrize(
    ("name", "tflite", "onnx"),
    [
        ("pi4-bookworm", "litert", "onnxruntime"),
        ("pi4-bullseye", "litert", "onnxruntime"),
        ("pi4-with-tflite-runtime", "tflite-runtime", "onnxruntime"),
        ("pi5-with-everything", "litert", "onnxruntime"),
        ("jetson-xavier-nx-jetpack5", "tflite-runtime", "onnxruntime"),
        ("pi3-32-bit-on-a-64-bit-kernel", "tflite-runtime", "onnxruntime-native"),
        ("jetson-nano-jetpack4", "litert-native", "onnxruntime-native"),
        ("no-python", "litert-native", "onnxruntime-native"),
        ("alpine", "litert-native", "onnxruntime-native"),
        ("riscv", None, None),
    ],
)
def test_a_format_has_a_runtime_or_a_reason(name, tflite, onnx, tmp_path):
    need("apt-get")
    device = replayed_device(name, tmp_path)
    for fmt, expected in ((Format.TFLITE, tflite), (Format.ONNX, onnx)):
        if expected:
            assert runtime_for(device, fmt) == expected
            continue
        with pytest.raises(DeviceError) as caught:
            runtime_for(device, fmt)
        assert caught.value.hint


def test_an_old_python_is_named(tmp_path):
    own, *_ = ways_of(replayed_device("jetson-nano-jetpack4", tmp_path), "litert")
    words = "it has only Python 3.6.9; the runner in Python needs CPython 3.8 or newer"
    assert own.why_not == (words,)


def test_a_format_that_no_runtime_reads_is_refused(tmp_path):
    with pytest.raises(DeviceError, match="no runtime for keras models"):
        runtime_for(replayed_device("pi4-bookworm", tmp_path), Format.KERAS)


def test_every_runtime_has_a_format_a_module_and_a_release():
    assert set(MODULES) == {release.runtime for release in RELEASES} == set(RUNS.values())
    assert set(FORMATS) == set(RUNS)
