"""A limit holds only where the whole interval says so; what was not measured never passes."""

import pytest

from edgebench.core import Reason, Status
from edgebench.measure.stats import Interval
from edgebench.plan import Target
from edgebench.results.cells import read_cells
from edgebench.results.targets import Verdict, check_targets, judge


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (8, 9, 10, Verdict.PASS),
        (8, 9, 12, Verdict.PASS),
        (8, 9, 12.1, Verdict.INCONCLUSIVE),
        (11, 14, 15, Verdict.INCONCLUSIVE),
        (12.1, 14, 15, Verdict.FAIL),
    ],
)
def test_a_limit_of_12(low, value, high, verdict):
    assert judge(Interval(value=value, low=low, high=high), 12.0) is verdict


@pytest.mark.parametrize(
    ("limit", "verdict", "value"),
    [
        ({"latency_p50_ms": 1.5}, "PASS", 1.0),
        ({"latency_p50_ms": 0.5}, "FAIL", 1.0),
        ({"latency_p90_ms": 1.5}, "PASS", 1.0),
        ({"latency_p99_ms": 1.5}, "NOT MEASURED", None),
        ({"size_mb": 0.001}, "PASS", 0.001),
        ({"size_mb": 0.0009}, "FAIL", 0.001),
        ({"model_memory_mb": 6.5}, "PASS", 6.0),
        ({"model_memory_mb": 5.5}, "FAIL", 6.0),
        ({"accuracy_drop_points": 0.5}, "PASS", 0.0),
        ({"energy_mj": 9.0}, "NOT MEASURED", None),
    ],
)
def test_each_limit_is_judged_in_its_own_unit(spec_of, recorded_of, limit, verdict, value):
    spec = spec_of("float")
    recorded = recorded_of(spec, [1.0, 1.0, 1.0], scores=[1, 1, 0, 1], size_bytes=1000)
    cells = read_cells([spec], {spec.key: recorded}, margin_ratio=0.05, ci_ratio=0.05)
    (checked,) = check_targets([Target(**limit)], cells)
    assert checked.verdict.value == verdict
    assert checked.value == (None if value is None else pytest.approx(value))


def test_a_wrong_output_is_not_measured_however_fast(spec_of, recorded_of):
    spec = spec_of("float")
    wrong = recorded_of(spec, [0.1, 0.1], status=Status.INVALID, reasons=(Reason.WRONG_OUTPUT,))
    cells = read_cells([spec], {spec.key: wrong}, margin_ratio=0.05, ci_ratio=0.05)
    checked = check_targets([Target(latency_p50_ms=10.0, size_mb=1.0)], cells)
    assert {c.verdict for c in checked} == {Verdict.NOT_MEASURED}


def test_a_target_speaks_only_of_its_device_and_variant(spec_of, recorded_of):
    specs = [spec_of("float", device=d) for d in ("a", "b")] + [spec_of("int8", device="b")]
    recorded = {s.key: recorded_of(s, [1.0, 1.0]) for s in specs}
    cells = read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05)
    targets = [Target(device="b", size_mb=1.0), Target(variant="int8", size_mb=1.0)]
    checked = check_targets(targets, cells)
    assert [(c.device, c.variant) for c in checked] == [
        ("b", "float"),
        ("b", "int8"),
        ("b", "int8"),
    ]


def test_one_launch_decides_no_latency(spec_of, recorded_of):
    spec = spec_of("float")
    cells = read_cells(
        [spec], {spec.key: recorded_of(spec, [1.0])}, margin_ratio=0.05, ci_ratio=0.05
    )
    targets = [Target(latency_p50_ms=9.0), Target(latency_p50_ms=0.1), Target(size_mb=1.0)]
    assert [c.verdict.value for c in check_targets(targets, cells)] == [
        *("INCONCLUSIVE", "INCONCLUSIVE", "PASS")
    ]
