"""How a model is asked in the timed passes, with real runtimes and with a clock that is watched."""

import time

import numpy as np
import pytest
import scenario  # type: ignore[import-not-found]  # a module of the runner, outside the package

from edgebench.core import Scenario
from edgebench.errors import JobFailed
from edgebench.runner import Loop, Windows
from tests.runners.native.conftest import ask_native, native

__all__ = ["ask_native", "native"]

OFFLINE = Scenario(kind="offline", samples=8)
MULTI = Scenario(kind="multi", samples=4)
SHORT = Loop(
    warmup_min_s=0.05,
    warmup_max_s=0.5,
    sample_min_invokes=20,
    sample_min_s=0.05,
    sample_max_s=1.0,
)


@pytest.fixture(params=["python", "native"])
def ask(request, ask):
    """Each runner: what is said of a scenario holds for both."""
    return ask if request.param == "python" else request.getfixturevalue("ask_native")


@pytest.fixture
def dense(onnx_model):
    """Write a dense layer, `(rows, 256)` to `(out, 256)`."""
    from onnx import TensorProto, helper, numpy_helper

    def write(rows, out):
        weights = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
        nodes = [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weights)),
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Relu", ["h"], ["y"]),
        ]
        x, y = (TensorProto.FLOAT, [rows, 256]), (TensorProto.FLOAT, [out, 256])
        return onnx_model(nodes, {"x": x}, {"y": y})

    return write


def latency_of(ask, model, asked, **options):
    result, folder = ask(model, kind="latency", loop=SHORT, scenario=asked, **options)
    with np.load(folder / "samples.npz") as archive:
        return result.latency, archive["latency_ns"]


@pytest.mark.parametrize(
    ("axes", "asked", "sizes"),
    [
        (("n", "n"), OFFLINE, (8, 8)),
        (("n", "n"), MULTI, (4, 4)),
        (("n", "m"), MULTI, (4, 4)),
        ((1, 1), OFFLINE, (1, 1)),
        ((1, 1), MULTI, (1, 4)),
        (("n", "n"), Scenario(), (1, 1)),
    ],
    ids=[
        "offline, free",
        "multi, free",
        "another name",
        "offline, fixed",
        "multi, fixed",
        "single",
    ],
)
def test_a_query_is_one_batch_where_the_axis_is_free_and_else_one_by_one(
    dense, ask, axes, asked, sizes
):
    found, times = latency_of(ask, dense(*axes), asked)
    assert (found.batch, found.inferences) == sizes
    assert times.size == found.samples >= 20
    assert found.due is None


def test_a_query_of_several_takes_as_long_as_its_inferences(dense, ask):
    model = dense(1, 1)
    one, single = latency_of(ask, model, Scenario())
    many, multi = latency_of(ask, model, Scenario(kind="multi", samples=64))
    ratio = np.median(multi) / many.group / (np.median(single) / one.group)
    assert 32 < ratio < 128


def test_a_tflite_file_with_a_fixed_batch_is_asked_one_by_one(tflite, ask):
    found, _ = latency_of(ask, tflite / "float.tflite", OFFLINE)
    assert (found.batch, found.inferences) == (1, 1)


def test_a_free_axis_that_is_no_batch_is_told_and_not_counted_as_one(onnx_model, ask):
    from onnx import TensorProto, helper

    # As many rows as the input has values that are not zero.
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Transpose", ["found"], ["y"]),
    ]
    x, y = (TensorProto.FLOAT, ["n", 4]), (TensorProto.INT64, ["m", 2])
    model = onnx_model(nodes, {"x": x}, {"y": y})
    with pytest.raises(JobFailed, match="no batch") as failure:
        latency_of(ask, model, OFFLINE)
    assert failure.value.reason == "unsupported_input"
    found, _ = latency_of(ask, model, Scenario())
    assert found.batch == 1


def test_a_model_of_a_microsecond_is_timed_in_groups_that_the_next_process_keeps(dense, ask):
    first, times = latency_of(ask, dense(1, 1), Scenario())
    assert first.group > 1
    assert 25_000 < np.median(times) < 500_000
    told = Loop(**{**{name: getattr(SHORT, name) for name in Loop.__slots__}, "group": 3})
    result, _ = ask(dense(1, 1), kind="latency", loop=told)
    assert result.latency.group == 3


def test_queries_come_at_their_rate_and_none_is_missed_by_a_fast_model(dense, ask):
    found, times = latency_of(ask, dense(1, 1), Scenario(kind="periodic", rate_hz=100.0))
    assert found.group == 1
    assert 20 <= found.samples <= found.due <= 101
    assert found.missed <= found.due // 5
    assert found.wake_ns >= 0
    assert np.median(times) < 10e6


def test_the_memory_pass_holds_the_batch(dense, ask):
    model = dense("n", "n")
    single, _ = ask(model, kind="memory")
    large = Scenario(kind="offline", samples=4096)
    many, _ = ask(model, kind="memory", scenario=large)
    grown = many.memory.s3.anonymous_bytes - single.memory.s3.anonymous_bytes
    assert grown > 4096 * 256 * 4


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (Scenario(kind="periodic", rate_hz=50.0), 10, 20),
        (Scenario(kind="multi", samples=4), 1000, None),
    ],
    ids=["at a rate", "of several"],
)
def test_energy_is_of_the_work_of_the_scenario(dense, ask, asked, least, most):
    windows = Windows(idle_s=0.05, active_s=0.4)
    result, _ = ask(dense(1, 1), kind="energy", loop=SHORT, scenario=asked, windows=windows)
    energy = result.energy
    assert least <= energy.inferences <= (most or 10**9)
    assert energy.inferences % asked.samples == 0
    begin, end = energy.active_ns
    assert 0.4 <= (end - begin) / 1e9 < 1.0


class Clockwork:
    """A query whose duration is told beforehand, in periods of its rate."""

    def __init__(self, rate_hz, periods):
        self.seconds = [share / rate_hz for share in periods]
        self.calls = 0

    def __call__(self):
        time.sleep(self.seconds[self.calls])
        self.calls += 1


@pytest.mark.parametrize(
    ("periods", "due", "missed"),
    [
        ([0.3] * 5, 5, 0),
        ([0.3, 1.5, 0.3, 0.3], 5, 2),
        ([2.5, 0.3, 2.5], 7, 6),
        ([1.3] * 3, 6, 6),
    ],
    ids=["in time", "one late, and one dropped", "two that take three turns", "never in time"],
)
def test_a_query_that_is_late_costs_its_own_turn_and_those_it_overran(periods, due, missed):
    # Slow, so that a machine with other work to do wakes the process in its turn.
    rate_hz = 5.0
    query = Clockwork(rate_hz, periods)
    samples = [0] * len(periods)
    far = time.perf_counter_ns() + 10**12
    count, told = scenario.pace(query, rate_hz, samples, (far, far, 0))
    assert count == len(periods)
    assert (told["due"], told["missed"]) == (due, missed)
    assert [ns / 1e9 * rate_hz for ns in samples] == pytest.approx(periods, abs=0.2)


def test_releases_do_not_drift_with_the_time_that_queries_take():
    rate_hz, starts = 20.0, []

    def query():
        starts.append(time.perf_counter_ns())
        time.sleep(0.007)

    far = time.perf_counter_ns() + 10**12
    count, _ = scenario.pace(query, rate_hz, [0] * 20, (far, far, 0))
    assert count == 20
    steps = (starts[-1] - starts[0]) / 1e9 * rate_hz
    assert steps == pytest.approx(19, abs=0.5)
