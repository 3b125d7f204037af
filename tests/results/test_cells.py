"""What a row says follows from raw samples, and nothing is said that was not measured."""

import json
from typing import Any

import pytest

from edgebench.core import Reason, Status
from edgebench.results.cells import cell_document, read_cells


@pytest.fixture
def cells_of():
    def read(*pairs):
        specs = [spec for spec, _ in pairs]
        recorded = {spec.key: r for spec, r in pairs if r is not None}
        return read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05)

    return read


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


def _keys(document):
    return {
        key: _keys(value) if isinstance(value, dict) else None for key, value in document.items()
    }
