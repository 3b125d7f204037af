"""What is advised is fast, small and right, in that order of doubt."""

from dataclasses import replace

import pytest

from edgebench.core import Status
from edgebench.plan import Target
from edgebench.results.cells import read_cells
from edgebench.results.ship import advise
from edgebench.results.targets import check_targets

HITS = [1.0] * 90 + [0.0] * 10


@pytest.fixture
def advice_on(spec_of, recorded_of):
    """Advice on cells given as `(name, latency_ms by block, hits, size_bytes, status)`."""

    def ask(*rows, targets=(), floors=None):
        specs = [spec_of(name) for name, *_ in rows]
        recorded = {
            spec.key: recorded_of(spec, ms, scores=hits, size_bytes=size, status=status)
            for spec, (_, ms, hits, size, status) in zip(specs, rows, strict=True)
        }
        cells = read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05, floors=floors)
        (advice,) = advise(cells, check_targets(targets, cells), margin_ratio=0.05)
        return advice

    return ask


FLOAT = ("float", [4.0, 4.1, 4.0], HITS, 4000, Status.OK)
INT8 = ("int8", [2.0, 2.05, 2.0], HITS, 1000, Status.OK)


def test_the_fastest_is_advised(advice_on):
    advice = advice_on(FLOAT, INT8)
    assert advice.cell is not None
    assert advice.cell.spec.variant == "int8"
    assert "0.5x" in advice.why


def test_of_equally_fast_ones_the_smallest(advice_on):
    tied = ("tied", [2.01, 2.06, 2.01], HITS, 500, Status.OK)
    advice = advice_on(FLOAT, INT8, tied)
    assert advice.cell is not None
    assert advice.cell.spec.variant == "tied"
    assert "smallest of 2" in advice.why


def test_a_difference_that_the_device_cannot_show_makes_nothing_faster(advice_on, spec_of):
    small = ("small", [2.4, 2.46, 2.4], HITS, 500, Status.OK)
    device = spec_of("small").device
    sharp = advice_on(FLOAT, INT8, small)
    blunt = advice_on(FLOAT, INT8, small, floors={device: 0.3})
    assert [advice.cell.spec.variant for advice in (sharp, blunt)] == ["int8", "small"]


def test_of_several_scenarios_the_first_is_for_speed_and_the_limits_of_all_hold(
    spec_of, recorded_of
):
    specs, recorded = [], {}
    for scenario, times in (("single", (4.0, 2.0, 1.0)), ("periodic:30", (9.0, 5.0, 60.0))):
        for name, ms in zip(("float", "int8", "burst"), times, strict=True):
            spec = spec_of(name)
            spec = replace(spec, key=f"{spec.key}.{scenario}", scenario=scenario, reference=None)
            specs.append(spec)
            recorded[spec.key] = recorded_of(spec, [ms] * 3)
    cells = read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05)
    limit = Target(scenario="periodic:30", latency_p50_ms=33.3)
    checked = check_targets([limit], cells)
    assert [c.verdict.value for c in checked] == ["PASS", "PASS", "FAIL"]
    (advice,) = advise(cells, checked, margin_ratio=0.05)
    assert advice.cell is not None
    assert (advice.cell.spec.variant, advice.cell.spec.scenario) == ("int8", "single")


def test_a_latency_limit_is_none_of_a_batch(spec_of, recorded_of):
    spec = replace(spec_of("float"), scenario="offline")
    cells = read_cells(
        [spec], {spec.key: recorded_of(spec, [1.0, 1.0])}, margin_ratio=0.05, ci_ratio=0.05
    )
    checked = check_targets([Target(latency_p90_ms=1.0, size_mb=1.0)], cells)
    assert [c.target for c in checked] == ["size_mb"]


def test_one_that_lost_its_accuracy_is_not(advice_on):
    bad = ("bad", [1.0, 1.0, 1.0], [0.0] * 20 + HITS[20:], 500, Status.OK)
    advice = advice_on(FLOAT, INT8, bad)
    assert advice.cell is not None
    assert advice.cell.spec.variant == "int8"


def test_one_that_computes_something_else_is_not(advice_on):
    wrong = ("wrong", [1.0, 1.0, 1.0], HITS, 500, Status.INVALID)
    advice = advice_on(FLOAT, wrong)
    assert advice.cell is not None
    assert advice.cell.spec.variant == "float"


def test_where_no_limit_holds_nothing_is(advice_on):
    advice = advice_on(FLOAT, INT8, targets=[Target(latency_p50_ms=1.0)])
    assert advice.cell is None


def test_what_was_not_measured_is_not_claimed(advice_on):
    fast = ("fast", [1.0, 1.0, 1.0], None, 500, Status.OK)
    advice = advice_on(("float", [4.0, 4.1, 4.0], None, 4000, Status.OK), fast)
    assert advice.cell is not None
    assert "accuracy was not measured" in advice.why
    assert "keep their accuracy" not in advice.why


def test_labels_without_a_loss_that_can_be_told_advise_nothing_but_the_reference(advice_on):
    # The reference has no scores of the same samples, so that nothing can be paired.
    fast = ("fast", [1.0, 1.0, 1.0], HITS[:50], 500, Status.OK)
    advice = advice_on(FLOAT, fast)
    assert advice.cell is not None
    assert advice.cell.spec.variant == "float"


def test_what_is_advised_on_an_accelerator_says_where_it_and_its_reference_ran(
    spec_of, recorded_of
):
    plain = spec_of("float")
    fast = replace(plain, key=f"{plain.key}.gpu", accelerator="xnnpack", reference=plain.key)
    recorded = {
        spec.key: recorded_of(spec, ms, scores=HITS, size_bytes=4000)
        for spec, ms in ((plain, [4.0, 4.1, 4.0]), (fast, [2.0, 2.05, 2.0]))
    }
    cells = read_cells([plain, fast], recorded, margin_ratio=0.05, ci_ratio=0.05)
    (advice,) = advise(cells, (), margin_ratio=0.05)
    assert advice.cell is cells[1]
    assert advice.why.startswith("on xnnpack; ")
    assert "the time of the float tflite on cpu (faster)" in advice.why
