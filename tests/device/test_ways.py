"""Which way a device runs models: by what it has, and by what can be put there."""

from dataclasses import replace
from typing import Any

import pytest

from edgebench.core import Format
from edgebench.device.profile import load_profile, profile_names
from edgebench.device.releases import MODULES
from edgebench.device.survey import provisioned, survey
from edgebench.device.ways import WAYS, chosen, needs_libraries, ways_of
from edgebench.errors import ConfigError, DeviceError
from edgebench.runtimes import RUNS
from tests.conftest import need
from tests.device.boards import replayed_device

OLD = {"executable": "/usr/bin/python3", "version": "3.6.9", "implementation": "cpython"}
PLAIN = {**OLD, "version": "3.11.2", "bits": 64, "packages": {}}
WHOLE = {**PLAIN, "packages": {"numpy": "2.4.6", "ai_edge_litert": "2.3.0"}}
GLIBC = {"libc": "glibc 2.36", "libstdcxx": "3.4.30"}
OLD_GLIBC = {"libc": "glibc 2.27", "libstdcxx": "3.4.25"}
MUSL = {"libc": "musl 1.2.4", "libstdcxx": None}


@pytest.fixture
def device_of(tmp_path):
    need("apt-get")

    def make(pythons, system, **more):
        facts = {"architecture": "aarch64", "pythons": pythons, **system, **more}
        return replace(replayed_device("pi4-bookworm", tmp_path), facts=facts)

    return make


@pytest.mark.parametrize(
    ("pythons", "system", "way", "runtime"),
    [
        ([WHOLE], GLIBC, "own", "litert"),
        ([PLAIN], GLIBC, "wheels", "litert"),
        ([PLAIN], OLD_GLIBC, "wheels", "tflite-runtime"),
        ([PLAIN], MUSL, "native", "litert-native"),
        ([OLD], OLD_GLIBC, "native", "litert-native"),
        ([], {"libc": None, "libstdcxx": None}, "native", "litert-native"),
    ],
)
def test_python_comes_before_the_native_runner_and_that_before_a_python_that_is_sent(
    device_of, pythons, system, way, runtime
):
    found = chosen(device_of(pythons, system), Format.TFLITE)
    assert (found.name, found.runtime) == (way, runtime)


def test_a_profile_without_the_native_runner_gets_a_python(device_of):
    device = device_of([OLD], OLD_GLIBC)
    plain = replace(device, profile=replace(device.profile, runtimes=("litert", "onnxruntime")))
    found = chosen(plain, Format.ONNX)
    assert (found.name, found.runtime) == ("bundle", "onnxruntime")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"architecture": "armv7l"}, "onnxruntime has no C library for armv7l"),
        ({"architecture": None}, "a machine that is not known"),
        ({"work_is_noexec": True}, "mounted noexec: nothing that is sent loads there"),
    ],
)
def test_what_no_way_reaches_has_its_reasons(device_of, more, words):
    with pytest.raises(DeviceError, match=words):
        chosen(device_of([], MUSL, **more), Format.ONNX)


@pytest.mark.parametrize(
    ("system", "pythons", "is_needed"),
    [
        (GLIBC, [], False),
        (OLD_GLIBC, [], True),
        (MUSL, [], True),
        ({"libc": "glibc 2.36", "libstdcxx": None}, [], True),
        (GLIBC, [{**PLAIN, "bits": 32}], True),
    ],
)
def test_a_c_library_goes_with_the_runner_where_the_board_has_none_that_fits(
    device_of, system, pythons, is_needed
):
    assert needs_libraries(device_of(pythons, system), "litert-native") is is_needed


def test_a_folder_of_systems_that_lacks_the_machine_is_named(device_of, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEBENCH_SYSROOT", str(tmp_path))
    (way,) = ways_of(device_of([], MUSL), "litert-native")
    assert way.why_not == (f"$EDGEBENCH_SYSROOT ({str(tmp_path)!r}) has no aarch64/",)
    (tmp_path / "aarch64").mkdir()
    (way,) = ways_of(device_of([], MUSL), "litert-native")
    assert way.why_not == ()


def test_the_survey_has_every_way_of_every_runtime_and_a_reason_for_each_that_fails(device_of):
    document: Any = survey(device_of([PLAIN], OLD_GLIBC)).document()
    rows = [(row["runtime"], row["way"]) for row in document["ways"]]
    expected = [
        (runtime, way)
        for runtime in RUNS
        for way in WAYS
        if (way == "native") == (runtime not in MODULES)
    ]
    assert rows == expected
    assert all(bool(row["why_not"]) is not row["works"] for row in document["ways"])
    taken = {
        fmt: (row["runtime"], row["way"]) for row in document["ways"] for fmt in row["chosen_for"]
    }
    assert taken == {"tflite": ("tflite-runtime", "wheels"), "onnx": ("onnxruntime", "wheels")}


def test_a_runtime_that_is_none_is_refused(device_of, tmp_path):
    with pytest.raises(ConfigError, match="no runtime 'tensorrt'") as caught:
        provisioned(device_of([], MUSL), runtime="tensorrt", cache=tmp_path, progress=pytest.fail)
    assert "onnxruntime-native" in str(caught.value.hint)


@pytest.mark.parametrize("name", profile_names())
def test_every_kind_of_board_may_take_the_native_runner_last(name):
    runtimes = load_profile(name).runtimes
    assert set(runtimes[-2:]) == {"litert-native", "onnxruntime-native"}
