"""Which targets a stored run holds, what would decide the others, and what to take instead."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgebench.core import Reason, Status
from edgebench.errors import ConfigError
from edgebench.plan import PlanVariant, Target
from edgebench.results.targets import MEASURES
from edgebench.results.validation import GAPS, Validation, unmade_cells, validate
from tests.results.conftest import run_document

SPREAD = [0.98, 1.0, 1.02, 0.99, 1.01]
P50 = Target(latency_p50_ms=1.0)


def judged(cells, *targets, not_built=None):
    return validate(targets, cells, not_built=not_built or {}, source="t.toml")


def validation(rows):
    return Validation(run="r", created="2026-01-01T00:00:00+00:00", rows=rows)


def only(rows) -> dict[str, Any]:
    (row,) = rows
    return {**row.document()}


@pytest.mark.parametrize(
    ("limit", "verdict", "exit_code"),
    [(1.5, "PASS", 0), (0.5, "FAIL", 1), (1.005, "INCONCLUSIVE", 3)],
)
def test_only_the_whole_interval_passes_or_fails(
    cells_of, spec_of, recorded_of, limit, verdict, exit_code
):
    spec = spec_of("float")
    rows = judged(cells_of((spec, recorded_of(spec, SPREAD))), Target(latency_p50_ms=limit))
    assert only(rows)["verdict"] == verdict
    assert validation(rows).exit_code == exit_code


def test_a_value_at_the_limit_seldom_passes_and_seldom_fails(cells_of, spec_of, recorded_of):
    random = np.random.default_rng(11)
    spec, trials = spec_of("float"), 1500
    found = [
        only(judged(cells_of((spec, recorded_of(spec, times))), P50))["verdict"]
        for times in np.exp(random.normal(0, 0.03, (trials, 5)))
    ]
    bound = 0.025 + 3.1 * math.sqrt(0.025 * 0.975 / trials)
    assert found.count("PASS") / trials <= bound
    assert found.count("FAIL") / trials <= bound


def test_what_passes_is_asked_nothing_more(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    row = only(judged(cells_of((spec, recorded_of(spec, SPREAD))), Target(size_mb=1.0)))
    assert [row[name] for name in ("reason", "blocks_to_decide", "undecided", "nearest")] == (
        [None] * 4
    )


def test_what_is_inconclusive_says_how_many_blocks_decide_it(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    cells = cells_of((spec, recorded_of(spec, SPREAD)))
    near, nearer = (
        only(judged(cells, Target(latency_p50_ms=limit)))["blocks_to_decide"]
        for limit in (1.010, 1.005)
    )
    assert 0 < near < nearer


def one_launch(recorded_of, spec):
    return recorded_of(spec, [1.0])


def grouped(recorded_of, spec):
    recorded = recorded_of(spec, SPREAD)
    processes = tuple(replace(p, group=50) for p in recorded.measurement.processes)
    return replace(recorded, measurement=replace(recorded.measurement, processes=processes))


def memory_apart(recorded_of, spec):
    recorded = recorded_of(spec, SPREAD)
    (process,) = recorded.measurement.memory
    other = replace(process, s3=replace(process.s3, pss_bytes=process.s3.pss_bytes + 500_000))
    return replace(recorded, measurement=replace(recorded.measurement, memory=(process, other)))


@pytest.mark.parametrize(
    ("made", "target", "why"),
    [
        (one_launch, Target(latency_p50_ms=9.0), "one launch"),
        (grouped, Target(latency_p90_ms=1.0), "timed in groups"),
        (memory_apart, Target(model_memory_mb=6.2), "processes lie that far apart"),
        (
            lambda make, spec: make(spec, [1.0 / 1.01, 1.0, 1.01]),
            P50,
            "so near to the limit",
        ),
    ],
    ids=["one launch", "grouped", "memory", "at the limit"],
)
def test_what_blocks_do_not_decide_says_why(cells_of, spec_of, recorded_of, made, target, why):
    spec = spec_of("float")
    row = only(judged(cells_of((spec, made(recorded_of, spec))), target))
    assert row["verdict"] == "INCONCLUSIVE"
    assert row["blocks_to_decide"] is None
    assert why in row["undecided"]


def test_an_accuracy_asks_for_labelled_samples(cells_of, spec_of, recorded_of):
    reference, variant = spec_of("float"), spec_of("int8")
    cells = cells_of(
        (reference, recorded_of(reference, SPREAD, scores=[1.0] * 100)),
        (variant, recorded_of(variant, SPREAD, scores=[0.0] * 3 + [1.0] * 97)),
    )
    row = only(judged(cells, Target(variant="int8", accuracy_drop_points=4.0)))
    assert row["verdict"] == "INCONCLUSIVE"
    # Half of the interval is 3.40 points, and the limit is one away: (3.40² - 1) · 100.
    assert "some 1058 more of them" in row["undecided"]


@pytest.mark.parametrize(
    ("more", "target", "reason"),
    [
        ({}, Target(energy_mj=1.0), "not_measured"),
        ({"missing": {"energy": Reason.NO_SENSOR}}, Target(energy_mj=1.0), "no_sensor"),
        ({}, Target(latency_p99_ms=1.0), "percentile_n"),
        ({"missing": {"accuracy": Reason.NO_DATA}}, Target(accuracy_drop_points=1.0), "no_data"),
        (
            {"status": Status.FAILED, "reasons": (Reason.KILLED,), "error": "signal 9"},
            Target(size_mb=1.0),
            "killed",
        ),
    ],
    ids=["energy", "no sensor", "p99", "no labels", "failed"],
)
def test_what_has_no_number_never_passes_and_says_why(
    cells_of, spec_of, recorded_of, more, target, reason
):
    reference, variant = spec_of("float"), spec_of("int8")
    cells = cells_of(
        (reference, recorded_of(reference, SPREAD)), (variant, recorded_of(variant, SPREAD, **more))
    )
    rows = judged(cells, replace(target, variant="int8"))
    row = only(rows)
    assert (row["verdict"], row["reason"]) == ("NOT MEASURED", reason)
    assert row["error"] == more.get("error")
    assert row["nearest"] is None
    assert validation(rows).exit_code == 3


def test_a_failing_target_ends_with_1_whatever_else_is_open(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    cells = cells_of((spec, recorded_of(spec, SPREAD)))
    rows = judged(cells, Target(size_mb=0.0001), Target(energy_mj=1.0))
    assert validation(rows).exit_code == 1


@pytest.mark.parametrize(
    "target",
    [Target(device="pi6", size_mb=1.0), Target(scenario="offline", latency_p50_ms=1.0)],
    ids=["device", "scenario"],
)
def test_a_target_that_speaks_of_nothing_is_an_error(cells_of, spec_of, recorded_of, target):
    spec = spec_of("float")
    cells = cells_of((spec, recorded_of(spec, SPREAD)))
    with pytest.raises(ConfigError, match=r"t\.toml: `target\[1\]` speaks of no cell"):
        judged(cells, Target(size_mb=1.0), target)


def candidates(cells_of, spec_of, recorded_of, *told):
    """Cells of variants with a latency in ms, a size in bytes and how many of 1,000 are lost."""
    scores = np.ones(1000)
    pairs = []
    for name, latency_ms, size_bytes, lost in told:
        hits = scores.copy()
        hits[:lost] = 0
        spec = spec_of(name)
        times = [latency_ms * factor for factor in SPREAD]
        pairs.append((spec, recorded_of(spec, times, scores=hits, size_bytes=size_bytes)))
    return cells_of(*pairs)


def test_the_nearest_that_passes_is_the_one_that_loses_least(cells_of, spec_of, recorded_of):
    cells = candidates(
        *(cells_of, spec_of, recorded_of),
        *(("float", 2.0, 4_000_000, 0), ("int8", 0.9, 1_000_000, 4), ("int4", 0.8, 500_000, 15)),
        ("wide", 0.5, 9_000_000, 0),
    )
    limits = Target(latency_p50_ms=1.0, accuracy_drop_points=4.0, size_mb=5.0)
    rows = judged(cells, limits)
    row = next(row.document() for row in rows if row.checked.verdict.value == "FAIL")
    nearest: Any = row["nearest"]
    assert (row["variant"], nearest["variant"]) == ("float", "int8")
    assert nearest["value"] == pytest.approx(0.9, abs=0.01)
    assert nearest["losses"] == {"accuracy_drop_points": pytest.approx(0.4)}
    assert "int8 (tflite) with 0.8999" in str(next(r.nearest for r in rows if r.nearest))


def test_there_may_be_no_variant_that_passes(cells_of, spec_of, recorded_of):
    cells = candidates(
        *(cells_of, spec_of, recorded_of),
        *(("float", 2.0, 4_000_000, 0), ("int8", 0.9, 1_000_000, 400)),
    )
    rows = judged(cells, Target(latency_p50_ms=1.0, accuracy_drop_points=1.0))
    assert [row.nearest for row in rows] == [None] * 4
    case = next(c for c in validation(rows).report().cases if c.verdict == "FAIL")
    assert "no variant of this device passes all of its targets" in case.words


def test_the_limit_of_one_variant_counts_for_what_is_to_take_its_place(
    cells_of, spec_of, recorded_of
):
    cells = candidates(
        *(cells_of, spec_of, recorded_of),
        *(("float", 2.0, 4000, 0), ("slow", 1.9, 3000, 0), ("int8", 0.9, 1000, 0)),
    )
    rows = judged(cells, Target(size_mb=1.0), Target(variant="float", latency_p50_ms=1.0))
    (nearest,) = [row.nearest for row in rows if row.nearest]
    assert nearest.cell.spec.variant == "int8"


def test_a_variant_of_another_device_takes_no_place_here(cells_of, spec_of, recorded_of):
    here, there = spec_of("float"), spec_of("int8", device="other")
    cells = cells_of((here, recorded_of(here, [2.0] * 3)), (there, recorded_of(there, [0.5] * 3)))
    assert [row.nearest for row in judged(cells, P50)] == [None, None]


def absent(run, *, devices=("board",)):
    variants = tuple(PlanVariant(name=name) for name in ("float", "int8"))
    return unmade_cells(run, variants, devices)


def test_a_variant_that_was_not_built_has_no_number(cells_of, spec_of, recorded_of):
    spec = spec_of("float")
    not_built = {"int8.tflite": (Reason.NO_EFFECT, "nothing to quantize")}
    run = run_document(cells=(spec,), not_built=not_built)
    cells = (*cells_of((spec, recorded_of(spec, SPREAD))), *absent(run))
    rows = judged(cells, Target(size_mb=1.0), not_built=not_built)
    told = [(r.checked.variant, r.checked.verdict.value, r.reason, r.error) for r in rows]
    assert told == [
        ("float", "PASS", None, None),
        ("int8", "NOT MEASURED", Reason.NO_EFFECT, "nothing to quantize"),
    ]
    assert validation(rows).exit_code == 3


def test_a_run_that_was_cut_off_before_it_had_cells_has_nothing_measured():
    cells = absent(run_document(cells=(), finished=False), devices=("board", "other"))
    rows = judged(cells, Target(size_mb=1.0))
    assert [(r.checked.device, r.checked.variant) for r in rows] == [
        *(("board", "float"), ("board", "int8"), ("other", "float"), ("other", "int8"))
    ]
    assert {r.reason for r in rows} == {Reason.NOT_MEASURED}


def test_a_variant_that_another_format_failed_of_is_asked_as_its_sisters_are(spec_of):
    specs = [replace(spec_of("float"), key=f"k{n}", threads=n) for n in (1, 4)]
    not_built = {"int8.tflite": (Reason.NO_EFFECT, "nothing")}
    found = absent(run_document(cells=tuple(specs), not_built=not_built))
    assert [(c.spec.variant, c.spec.format, c.spec.threads) for c in found] == [
        *(("int8", "tflite", 1), ("int8", "tflite", 4))
    ]


def test_whatever_can_be_limited_says_why_it_has_no_number():
    assert set(GAPS) == set(MEASURES)
