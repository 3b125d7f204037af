"""What a row says follows from raw samples, and nothing is said that was not measured."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgebench.core import Accel, Profile, ProfileRow, Reason, Status
from edgebench.results.cells import cell_document, read_cells


def test_a_ratio_is_taken_within_blocks(cells_of, spec_of, recorded_of):
    # Both drift by a factor of 4 from block to block; within each the one takes half of the other.
    reference, variant = spec_of("float"), spec_of("int8")
    _, cell = cells_of(
        (reference, recorded_of(reference, [1.0, 2.0, 4.0, 1.5])),
        (variant, recorded_of(variant, [0.5, 1.0, 2.0, 0.75], size_bytes=250)),
    )
    assert cell.comparison is not None
    assert cell.comparison.verdict == "faster"
    assert cell.comparison.ratio.value == pytest.approx(0.5)
    assert cell.comparison.ratio.high - cell.comparison.ratio.low < 1e-6
    assert cell.size_ratio == 0.25


def test_a_drop_is_taken_sample_by_sample(cells_of, spec_of, recorded_of):
    reference, variant = spec_of("float"), spec_of("int8")
    hits = [1.0] * 80 + [0.0] * 20
    _, cell = cells_of(
        (reference, recorded_of(reference, [1.0, 1.0], scores=hits)),
        (variant, recorded_of(variant, [1.0, 1.0], scores=[0.0, *hits[1:]])),
    )
    assert cell.drop_points is not None
    assert cell.drop_points.value == pytest.approx(1.0)
    # One sample of a hundred differs: its interval knows nothing of the twenty that both miss.
    assert cell.drop_points.high - cell.drop_points.low == pytest.approx(3.968, abs=0.01)


@pytest.mark.parametrize("status", [Status.INVALID, Status.REFUSED, Status.FAILED])
def test_a_cell_that_is_not_to_be_trusted_shows_no_number(cells_of, spec_of, recorded_of, status):
    reference, variant = spec_of("float"), spec_of("int8")
    recorded = recorded_of(
        variant, [0.1, 0.1], status=status, reasons=(Reason.WRONG_OUTPUT,), error="cosine 0.1"
    )
    _, cell = cells_of((reference, recorded_of(reference, [1.0, 1.0])), (variant, recorded))
    document: dict[str, Any] = {**cell_document(cell)}
    assert document["status"] == status.value
    assert document["reasons"] == ["wrong_output"]
    assert document["latency_ms"]["p50"] is None
    assert document["memory_mb"]["model"] is None
    assert document["vs_reference"]["latency_ratio"] is None


def test_a_cell_that_was_not_measured_leaves_no_key_out(cells_of, spec_of, recorded_of):
    measured, open_cell = spec_of("float"), spec_of("int8")
    full, empty = cells_of((measured, recorded_of(measured, [1.0, 1.0])), (open_cell, None))
    assert _keys(cell_document(full)) == _keys(cell_document(empty))
    assert cell_document(empty)["reasons"] == ["not_measured"]
    json.dumps([cell_document(full), cell_document(empty)])


def test_an_interval_that_is_too_wide_makes_the_cell_suspect(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    (cell,) = cells_of((spec, recorded_of(spec, [1.0, 2.0, 1.0])))
    assert cell.status is Status.SUSPECT
    assert Reason.CI_NOT_MET in cell.reasons


def missing(cell):
    return {name: reason.value for name, reason in cell.missing.items()}


def changed(recorded, **fields):
    return replace(recorded, measurement=replace(recorded.measurement, **fields))


def test_a_number_that_is_missing_has_its_own_reason(cells_of, spec_of, recorded_of):
    reference, variant = spec_of("float"), spec_of("int8")
    less = changed(
        recorded_of(variant, [1.0, 1.0]),
        missing={"accuracy": Reason.NO_DATA, "energy": Reason.NO_SENSOR},
        memory=(),
    )
    first, second = cells_of(
        (reference, recorded_of(reference, [1.0, 1.0], scores=[1, 0, 1])), (variant, less)
    )
    hidden = {
        **{"latency_p99": "percentile_n", "latency_p99_9": "percentile_n"},
        **dict.fromkeys(("accel", "profile"), "not_measured"),
    }
    assert missing(first) == {**hidden, "energy": "not_measured"}
    assert missing(second) == {
        **hidden,
        "memory": "not_measured",
        "accuracy": "no_data",
        "accuracy_drop_points": "no_data",
        "energy": "no_sensor",
    }
    document: dict[str, Any] = {**cell_document(second)}
    assert document["missing"] == missing(second)
    assert document["accuracy"]["reason"] == "no_data"
    assert document["energy_mj"]["reason"] == "no_sensor"


@pytest.mark.parametrize("status", [Status.INVALID, Status.REFUSED, Status.FAILED])
def test_what_is_hidden_is_missing_for_the_reason_of_the_cell(
    cells_of, spec_of, recorded_of, status
):
    reference, variant = spec_of("float"), spec_of("int8")
    recorded = changed(
        recorded_of(variant, [1.0, 1.0], status=status, reasons=(Reason.TIMEOUT,)), agreement=None
    )
    _, cell = cells_of((reference, recorded_of(reference, [1.0, 1.0])), (variant, recorded))
    names = (
        *("latency", "memory", "energy", "accuracy", "agreement", "vs_reference"),
        *("accel", "profile"),
    )
    assert missing(cell) == dict.fromkeys(names, "timeout")


def test_of_a_cell_that_was_not_measured_everything_is_missing(cells_of, spec_of):
    (cell,) = cells_of((spec_of("int8"), None))
    names = (
        *("size_bytes", "gzip_bytes", "runtime_version", "latency", "memory"),
        *("energy", "accuracy", "agreement", "vs_reference", "accel", "profile"),
    )
    assert missing(cell) == dict.fromkeys(names, "not_measured")


@pytest.mark.parametrize("what", ["missing", "not measured", "hidden", "none"])
def test_without_a_reference_there_is_no_comparison(cells_of, spec_of, recorded_of, what):
    reference = spec_of("float")
    variant = spec_of("int8", reference=None if what == "none" else "float")
    hidden = recorded_of(reference, [1.0, 1.0], status=Status.INVALID)
    others = {"not measured": [(reference, None)], "hidden": [(reference, hidden)]}
    *_, cell = cells_of(*others.get(what, []), (variant, recorded_of(variant, [1.0, 1.0])))
    assert cell.missing["vs_reference"] is Reason.NO_REFERENCE


def test_peaks_that_the_kernel_hides_are_missing_alone(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    recorded = recorded_of(spec, [1.0, 1.0])
    (process,) = recorded.measurement.memory
    points = {f"s{i}": replace(getattr(process, f"s{i}"), peak_bytes=None) for i in range(5)}
    (cell,) = cells_of((spec, changed(recorded, memory=(replace(process, **points),))))
    found = missing(cell)
    assert {name for name in found if name.startswith("memory")} == {
        *("memory_load_peak", "memory_run_peak")
    }
    assert found["memory_run_peak"] == "permission"


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [([1.0], [1.0], "too_few_samples"), ([1, 0], [1, 0, 1], "incomparable")],
)
def test_a_drop_that_cannot_be_paired_says_why(
    cells_of, spec_of, recorded_of, ours, theirs, reason
):
    reference, variant = spec_of("float"), spec_of("int8")
    _, cell = cells_of(
        (reference, recorded_of(reference, [1.0, 1.0], scores=theirs)),
        (variant, recorded_of(variant, [1.0, 1.0], scores=ours)),
    )
    assert missing(cell)["accuracy_drop_points"] == reason


def test_a_verdict_holds_among_all_comparisons_of_its_device(cells_of, spec_of, recorded_of):
    specs = [spec_of("float"), *(spec_of(f"v{i}") for i in range(4))]
    alone = spec_of("v", device="other"), spec_of("float", device="other")
    # By itself 0.5x with p = 0.02; among four no more than a guess.
    noisy = [0.3, 0.8, 0.5, 0.45]
    recorded = [(specs[0], recorded_of(specs[0], [1.0] * 4))]
    recorded += [(specs[1], recorded_of(specs[1], noisy))]
    recorded += [(spec, recorded_of(spec, [0.7, 1.4, 1.0, 1.1])) for spec in specs[2:]]
    recorded += [(alone[0], recorded_of(alone[0], noisy))]
    recorded += [(alone[1], recorded_of(alone[1], [1.0] * 4))]
    cells = {cell.spec.key: cell for cell in cells_of(*recorded)}
    first = cells[specs[1].key].comparison
    single = cells[alone[0].key].comparison
    assert first is not None
    assert single is not None
    assert single.verdict == "faster"
    assert first.verdict == "inconclusive"
    assert first.p == single.p
    assert first.p_holm == pytest.approx(4 * first.p)


def test_cells_of_other_software_have_a_ratio_and_no_verdict(cells_of, spec_of, recorded_of):
    reference, variant = spec_of("float"), spec_of("int8")
    _, cell = cells_of(
        (reference, recorded_of(reference, [1.0] * 4, fingerprint={"hw": "a", "sw": "b"})),
        (variant, recorded_of(variant, [0.5] * 4, fingerprint={"hw": "a", "sw": "c"})),
    )
    document: dict[str, Any] = {**cell_document(cell)}
    assert document["vs_reference"]["verdict"] == "incomparable"
    assert document["vs_reference"]["differs"] == ["sw"]
    assert document["vs_reference"]["p_holm"] is None


def test_a_device_that_is_restless_has_a_margin_of_its_own(spec_of, recorded_of):
    specs = [spec_of("float"), spec_of("int8")]
    recorded = {
        spec.key: recorded_of(spec, [ms] * 4) for spec, ms in zip(specs, (1.0, 0.9), strict=True)
    }
    for floors, verdict in ((None, "faster"), ({"board": 0.2}, "different_but_small")):
        _, cell = read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05, floors=floors)
        assert cell.comparison is not None
        assert cell.comparison.verdict == verdict


def test_what_was_counted_stands_in_the_document(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    recorded = recorded_of(spec, [1.0, 1.0])
    samples = {b: np.append(np.repeat([1500, 1000], [300, 699]), 90_000) for b in range(2)}
    (cell,) = cells_of((spec, replace(recorded, samples=samples)))
    document: dict[str, Any] = {**cell_document(cell)}
    latency = document["latency_ms"]
    assert (latency["n"], latency["before_change"], latency["outliers"]) == (2000, 600, 2)
    assert latency["outliers_share"] == 2 / 1400
    assert latency["p95_ci95"] == pytest.approx([0.001, 0.001])
    assert latency["p99_9"] is None


def _keys(document):
    return {
        key: _keys(value) if isinstance(value, dict) and key != "missing" else None
        for key, value in document.items()
    }


@pytest.mark.parametrize(
    ("requested", "cpu_ops", "reasons"),
    [
        ("cpu", {"CUMSUM": 1}, []),
        ("xnnpack", {}, []),
        ("xnnpack", {"CUMSUM": 1}, ["partial_fallback"]),
        ("xnnpack", None, ["partial_fallback"]),
    ],
)
def test_what_is_left_to_the_cpu_is_a_doubt_where_an_accelerator_was_asked_for(
    cells_of, spec_of, recorded_of, requested, cpu_ops, reasons
):
    spec = spec_of("float")
    accel = Accel(requested=requested, effective="xnnpack", nodes_accel=2, cpu_ops=cpu_ops)
    (cell,) = cells_of((spec, changed(recorded_of(spec, [1.0, 1.0]), accel=accel)))
    document: dict[str, Any] = {**cell_document(cell)}
    assert document["reasons"] == reasons
    assert document["status"] == ("suspect" if reasons else "ok")
    assert document["accel"]["cpu_ops"] == cpu_ops
    assert document["latency_ms"]["p50"] is not None


def row(name, op_type, ns):
    return ProfileRow(
        name=name,
        op_type=op_type,
        share=ns / 1000,
        ns_per_inference=ns,
        calls=20,
        provider="builtin",
        is_delegated=False,
    )


def test_a_profile_is_summed_by_type_with_the_longest_first(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    rows = (row("a", "Relu", 300.0), row("b", "Conv", 400.0), row("c", "Relu", 300.0))
    profile = Profile(source="litert", inferences=20, rows=rows)
    (cell,) = cells_of((spec, changed(recorded_of(spec, [1.0, 1.0]), profile=profile)))
    document: dict[str, Any] = {**cell_document(cell)}
    assert [kind["op_type"] for kind in document["profile"]["by_type"]] == ["Relu", "Conv"]
    assert document["profile"]["by_type"][0] == {
        **{"op_type": "Relu", "nodes": 2, "calls": 40, "share": pytest.approx(0.6)},
        **{"ns_per_inference": 600.0, "providers": ["builtin"]},
    }
    assert [node["name"] for node in document["profile"]["nodes"]] == ["a", "b", "c"]
    assert "profile" not in document["missing"]


def test_a_profile_that_failed_is_missing_and_says_why(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    recorded = changed(
        recorded_of(spec, [1.0, 1.0]),
        profile=Profile(unknown="it crashed"),
        missing={"profile": Reason.KILLED},
    )
    (cell,) = cells_of((spec, recorded))
    document: dict[str, Any] = {**cell_document(cell)}
    assert document["status"] == "ok"
    assert document["missing"]["profile"] == "killed"
    assert document["profile"]["unknown"] == "it crashed"
