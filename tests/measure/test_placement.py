"""What a placement means, and how a campaign deals with it, on this machine to the end."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.core import Accel, Job, Reason, Status
from edgebench.measure.campaign import measure_device
from edgebench.measure.cell import Task
from edgebench.measure.placement import fell_back, is_partial, placement_doubts
from edgebench.measure.protocol import PRESETS

BRISK = replace(
    PRESETS["quick"],
    blocks_min=2,
    blocks_max=2,
    warmup_min_s=0.02,
    warmup_max_s=0.2,
    sample_min_s=0.02,
    memory_processes=1,
    gate_wait_s=0.0,
    cooldown_s=0.0,
)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"requested": "cpu", "effective": "none", "nodes_accel": 0}, None),
        ({"requested": "none", "effective": "none", "nodes_accel": 0}, None),
        ({"requested": "xnnpack", "effective": "xnnpack", "nodes_accel": 2}, None),
        ({"requested": "cuda", "effective": "cuda"}, None),
        ({"requested": "xnnpack", "effective": None}, None),
        ({"requested": "cuda", "effective": "cpu"}, "ran on cpu, not on cuda."),
        (
            {
                **{"requested": "xnnpack", "effective": "none", "nodes_total": 3},
                **{"nodes_accel": 0, "cpu_ops": {"CUMSUM": 1, "ADD": 2}},
            },
            "None of 3 nodes runs on xnnpack: 0 partitions, all on the CPU (2 ADD, 1 CUMSUM).",
        ),
    ],
)
def test_a_model_that_ran_elsewhere_says_so(fields, words):
    found = fell_back(Accel(**fields))
    assert (found or "").endswith(f"{words or ''}")
    assert (found is None) == (words is None)


def test_of_a_cell_of_an_earlier_version_nothing_is_doubted():
    assert placement_doubts(None) == ()


def test_an_empty_list_of_the_cpu_is_proof_without_any_count():
    accel = Accel(requested="cuda", effective="cuda", cpu_ops={}, unknown="an old version")
    assert not is_partial(accel)
    assert is_partial(replace(accel, cpu_ops=None))


def feed_of(task_job, folder):
    """A sample of ones for every input of the job's model."""
    path = folder / "ones.npz"
    inputs = task_job.artifact.inputs
    arrays: dict[str, Any] = {s.name: np.ones((1, *s.shape), s.dtype) for s in inputs}
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("name", "status", "reasons"),
    [("cumulated", Status.INVALID, (Reason.SILENT_FALLBACK,)), ("partly", Status.OK, ())],
)
def test_a_model_that_xnnpack_takes_nothing_of_is_invalid(
    device, tflite, tmp_path, name, status, reasons
):
    artifact = read_artifact(tflite / f"{name}.tflite")
    job = Job(
        variant=name, artifact=artifact, device="here", runtime="litert", accelerator="xnnpack"
    )
    feed = feed_of(job, tmp_path)
    task = Task(job=job, sample=feed, inputs=feed, reference=None, twin=None)
    *_, last = measure_device(
        device, [task], BRISK, kept={}, cache=tmp_path / "cache", progress=print
    )
    measurement = last.measurement
    assert (measurement.status, measurement.reasons) == (status, reasons)
    if status is Status.INVALID:
        assert "None of 1 nodes runs on xnnpack" in str(measurement.error)
        assert measurement.memory == ()
    else:
        assert measurement.accel is not None
        assert measurement.accel.cpu_ops == {"CUMSUM": 1}


@pytest.fixture
def measured(device, job, inputs, tmp_path):
    def measure(protocol=BRISK, **options):
        task = Task(
            job=replace(job, **options), sample=inputs, inputs=inputs, reference=None, twin=None
        )
        found = measure_device(
            device, [task], protocol, kept={}, cache=tmp_path / "cache", progress=print
        )
        *_, last = found
        return last.measurement

    return measure


def test_a_profile_is_taken_once_where_the_protocol_asks(measured):
    measurement = measured(replace(BRISK, profile=True))
    assert measurement.profile is not None
    assert {row.op_type for row in measurement.profile.rows} == {"MatMul", "Softmax"}
    assert "profile" not in measurement.missing
    assert measurement.accel is not None
    assert measurement.accel.cpu_ops == {"MatMul": 1, "Softmax": 1}


def test_without_being_asked_nobody_takes_a_profile(measured):
    assert measured().profile is None


def test_a_provider_that_is_not_there_ends_the_cell(measured):
    measurement = measured(accelerator="cuda")
    assert measurement.status is Status.FAILED
    assert measurement.reasons == (Reason.SILENT_FALLBACK,)
    assert "it has" in measurement.error
    assert measurement.processes == ()
