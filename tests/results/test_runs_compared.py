"""Two stored runs: what became worse, what nobody can tell, and what is only new."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgebench.core import Accuracy, EnergyRun, Reason, Status
from edgebench.results.cells import read_cells
from edgebench.results.changes import CHANGES
from edgebench.results.quantities import QUANTITIES, Bounds
from edgebench.results.runs_compared import Side, compare_sides
from tests.results.conftest import recorded_cell, run_document

STEADY = [0.99, 1.0, 1.01, 0.995, 1.005]
DEFAULTS = Bounds(margins={}, floors={})
FACTS = {"architecture": "aarch64", "kernel": "6.1", "os": "Debian 12"}


def side(name, *pairs, floors=None, margin_ratio=0.05, **document):
    specs = [spec for spec, _ in pairs]
    recorded = {spec.key: r for spec, r in pairs if r is not None}
    cells = read_cells(specs, recorded, margin_ratio=margin_ratio, ci_ratio=1.0, floors=floors)
    return Side(
        name=name,
        document=run_document(cells=tuple(specs), **document),
        cells=cells,
        margin_ratio=margin_ratio,
        floors=floors or {},
    )


def times(factor, around=STEADY):
    return [factor * ms for ms in around]


def compared(base, new, bounds=DEFAULTS):
    return compare_sides(base, new, bounds)


@pytest.fixture
def one(spec_of):
    """A comparison of one cell with itself, as `old` and `new` tell it."""
    spec = spec_of("int8", reference=None)

    def compare(old, new, bounds=DEFAULTS, **more) -> Any:
        old, new = ({"latency_ms": times(1.0), **told} for told in (old, new))
        return compared(
            side("base", (spec, recorded_cell(spec, **old)), **more),
            side("new", (spec, recorded_cell(spec, **new)), **more),
            bounds,
        )

    return compare


def change_of(found, quantity):
    return next(c for cell in found.cells for c in cell.changes if c.quantity == quantity)


def told(change):
    return change.verdict, change.mark.value


@pytest.mark.parametrize(
    ("factor", "around", "expected"),
    [
        (1.0, STEADY, ("equivalent", "passed")),
        (1.03, [1.0] * 5, ("different_but_small", "passed")),
        (1.2, STEADY, ("slower", "failed")),
        (0.8, STEADY, ("faster", "passed")),
        (1.05, STEADY, ("inconclusive", "open")),
        # Nobody knows whether it is faster; that it is not slower is sure.
        (0.95, STEADY, ("inconclusive", "passed")),
        (1.2, [1.0], ("inconclusive", "open")),
        (0.5, [1.0], ("inconclusive", "open")),
    ],
)
def test_a_latency_is_judged_by_its_whole_interval(one, factor, around, expected):
    found = one({}, {"latency_ms": times(factor, around)})
    assert told(change_of(found, "latency")) == expected
    assert found.exit_code == {"passed": 0, "failed": 1, "open": 3}[expected[1]]


def test_what_is_undecided_says_how_many_blocks_decide_it(one):
    found = one({}, {"latency_ms": times(1.06)})
    document = change_of(found, "latency").document()
    assert document["verdict"] == "inconclusive"
    assert document["blocks_to_decide"] > 0


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Bounds(margins={"latency": 0.3}, floors={}), "different_but_small"),
        (Bounds(margins={"latency": 0.0}, floors={}), "slower"),
        (Bounds(margins={}, floors={"latency": 0.3}), "different_but_small"),
        (Bounds(margins={}, floors={"latency": 0.1}), "slower"),
    ],
)
def test_a_regression_is_beyond_the_margin_and_beyond_the_floor(one, bounds, expected):
    found = one({}, {"latency_ms": times(1.2)}, bounds)
    assert change_of(found, "latency").verdict == expected


def test_no_margin_is_below_what_the_device_shows_of_itself(one):
    bounds = Bounds(margins={"latency": 0.01}, floors={})
    found = one({}, {"latency_ms": times(1.1)}, bounds, floors={"board": 0.2})
    change = change_of(found, "latency")
    assert (change.verdict, change.margin) == ("different_but_small", 0.2)


def test_a_verdict_must_survive_that_the_device_has_other_cells(spec_of):
    specs = [spec_of(f"v{n}", reference=None) for n in range(6)]
    noisy = [1.2, 1.4, 1.25, 1.5]
    old = [(spec, recorded_cell(spec, [0.95, 1.0, 1.05, 1.0])) for spec in specs]
    new = [(specs[0], recorded_cell(specs[0], noisy)), *old[1:]]
    alone = compared(side("base", old[0]), side("new", new[0]))
    among = compared(side("base", *old), side("new", *new))
    assert told(change_of(alone, "latency")) == ("slower", "failed")
    assert told(change_of(among, "latency")) == ("inconclusive", "open")
    assert change_of(among, "latency").document()["p_holm"] == pytest.approx(
        6 * change_of(alone, "latency").document()["p"]
    )


def hits(lost, n=1000):
    return np.concatenate([np.zeros(lost), np.ones(n - lost)])


@pytest.mark.parametrize(
    ("old", "new", "floor", "expected"),
    [
        (10, 10, 0.5, ("equivalent", "passed")),
        (10, 60, 0.5, ("worse", "failed")),
        (60, 10, 0.5, ("better", "passed")),
        (10, 16, 0.5, ("inconclusive", "open")),
        (10, 16, 2.0, ("different_but_small", "passed")),
        (10, 60, 9.0, ("different_but_small", "passed")),
    ],
)
def test_an_accuracy_is_compared_sample_by_sample(one, old, new, floor, expected):
    bounds = Bounds(margins={}, floors={"accuracy": floor})
    change = change_of(one({"scores": hits(old)}, {"scores": hits(new)}, bounds), "accuracy")
    assert change.change.value == pytest.approx((new - old) / 10)
    assert told(change) == expected


def with_accuracy(recorded, value, half, *, kind="share", scores=None):
    accuracy = Accuracy(
        metric="m", kind=kind, value=value, ci95=(value - half, value + half), samples=9, on="host"
    )
    measurement = replace(recorded.measurement, accuracy=accuracy)
    return replace(recorded, measurement=measurement, scores=scores)


def test_an_accuracy_without_scores_is_compared_by_its_intervals(spec_of):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    sides = [
        side(name, (spec, with_accuracy(recorded, value, half)))
        for name, value, half in (("base", 0.9, 0.03), ("new", 0.8, 0.04))
    ]
    change = change_of(compared(*sides), "accuracy")
    assert told(change) == ("worse", "failed")
    ends = (change.change.low, change.change.value, change.change.high)
    assert ends == pytest.approx((5.0, 10.0, 15.0))


@pytest.mark.parametrize(
    ("scores", "ends", "expected"),
    [
        ((None, None), (0.75, 1.25, 1.75), ("inconclusive", "open")),
        (
            (np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.5, 3.5])),
            (1.25, 1.25, 1.25),
            ("worse", "failed"),
        ),
    ],
    ids=["by its intervals", "sample by sample"],
)
def test_an_error_is_compared_as_a_ratio(spec_of, scores, ends, expected):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    sides = [
        side(name, (spec, with_accuracy(recorded, value, half, kind="error", scores=own)))
        for (name, value, half), own in zip(
            (("base", 2.0, 0.6), ("new", 2.5, 0.8)), scores, strict=True
        )
    ]
    change = change_of(compared(*sides), "error")
    assert told(change) == expected
    assert (change.change.low, change.change.value, change.change.high) == pytest.approx(ends)


def test_accuracies_on_other_data_are_not_compared(spec_of):
    spec = spec_of("int8", reference=None)
    pairs = [(spec, recorded_cell(spec, times(1.0), scores=hits(n))) for n in (10, 500)]
    found = compared(
        side("base", pairs[0], data_sha256="a" * 64), side("new", pairs[1], data_sha256="b" * 64)
    )
    change = change_of(found, "accuracy")
    assert told(change) == ("incomparable", "open")
    assert change.why == "the labelled data are not the same"
    assert "labelled data: aaaaaaaaaaaa -> bbbbbbbbbbbb" in map(str, found.differences)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1_000_000, 1_000_000, ("equivalent", "passed")),
        (1_000_000, 1_005_000, ("different_but_small", "passed")),
        (1_000_000, 1_020_000, ("worse", "failed")),
        (1_000_000, 900_000, ("better", "passed")),
        # A tenth more, and less than a kilobyte.
        (5_000, 5_500, ("different_but_small", "passed")),
    ],
)
def test_a_size_has_no_interval_but_a_margin_and_a_floor(one, old, new, expected):
    found = one({"size_bytes": old}, {"size_bytes": new})
    assert told(change_of(found, "size")) == expected


def with_memory(recorded, *model_bytes):
    (process,) = recorded.measurement.memory
    processes = tuple(
        replace(process, s3=replace(process.s3, pss_bytes=process.s1.pss_bytes + size))
        for size in model_bytes
    )
    return replace(recorded, measurement=replace(recorded.measurement, memory=processes))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((10_000_000, 10_000_000), (10_000_000, 10_000_000), ("equivalent", "passed")),
        ((10_000_000, 10_000_000), (11_000_000, 11_000_000), ("worse", "failed")),
        ((10_000_000, 10_000_000), (10_000_000, 12_000_000), ("inconclusive", "open")),
        ((1_000_000, 1_000_000), (1_200_000, 1_200_000), ("different_but_small", "passed")),
        ((0, 0), (9_000_000, 9_000_000), ("incomparable", "open")),
    ],
)
def test_a_memory_is_worse_where_its_processes_all_say_so(spec_of, old, new, expected):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    found = compared(
        side("base", (spec, with_memory(recorded, *old))),
        side("new", (spec, with_memory(recorded, *new))),
    )
    assert told(change_of(found, "memory")) == expected
    json.dumps(found.document(), allow_nan=False)


def with_energy(recorded, power_w, *, scope="module"):
    """A meter that read 10 W at rest and `power_w` at work, in three launches of 30 s."""
    time_ns = np.arange(0, 60_000_000_000, 50_000_000)
    random = np.random.default_rng(1)
    runs, power = [], []
    for _ in range(3):
        level = np.where((time_ns >= 15e9) & (time_ns < 45e9), power_w, 10.0)
        power.append((time_ns, level + random.normal(0, 0.01, time_ns.size)))
        runs.append(
            EnergyRun(
                meter="ina3221",
                scope=scope,
                kind="power",
                rails=("VDD_IN",),
                resolution=None,
                unreadable=0,
                refusal=None,
                doubts=(),
                idle_before_ns=(0, 15_000_000_000),
                active_ns=(15_000_000_000, 45_000_000_000),
                idle_after_ns=(45_000_000_000, 60_000_000_000),
                inferences=30_000,
            )
        )
    measurement = replace(recorded.measurement, energy=tuple(runs))
    return replace(recorded, measurement=measurement, power=tuple(power))


@pytest.mark.parametrize(
    ("power_w", "scope", "expected"),
    [
        (20.0, "module", ("equivalent", "passed")),
        (25.0, "module", ("worse", "failed")),
        (15.0, "module", ("better", "passed")),
        (25.0, "board_dc", ("incomparable", "open")),
    ],
)
def test_an_energy_is_compared_where_both_meters_see_the_same(spec_of, power_w, scope, expected):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    found = compared(
        side("base", (spec, with_energy(recorded, 20.0))),
        side("new", (spec, with_energy(recorded, power_w, scope=scope))),
    )
    assert told(change_of(found, "energy")) == expected


def test_a_quantity_that_one_run_lacks_is_new_or_open(one):
    found = one({"scores": hits(1)}, {"missing": {"accuracy": Reason.NO_DATA}})
    change = change_of(found, "accuracy")
    assert (*told(change), change.why) == ("not measured", "open", "NEW has none: no_data")
    assert told(change_of(one({}, {"scores": hits(1)}), "accuracy")) == ("new", "aside")
    assert one({}, {"scores": hits(1)}).exit_code == 0


@pytest.mark.parametrize("part", ["hw", "sw", "state"])
def test_other_conditions_are_told_first_and_leave_no_verdict_on_times(one, part):
    prints = {"hw": "a", "sw": "a", "state": "a"}
    found = one(
        {"fingerprint": prints, "scores": hits(1)},
        {"fingerprint": {**prints, part: "b"}, "latency_ms": times(3.0), "scores": hits(1)},
    )
    latency = change_of(found, "latency")
    assert (*told(latency), latency.why) == ("incomparable", "open", f"other conditions: {part}")
    assert latency.change.value == pytest.approx(3.0)
    assert told(change_of(found, "memory")) == ("incomparable", "open")
    assert told(change_of(found, "size")) == ("equivalent", "passed")
    assert told(change_of(found, "accuracy")) == ("equivalent", "passed")
    assert found.exit_code == 3


def test_what_differs_of_device_runtime_and_run_is_named(spec_of):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    newer = replace(recorded, measurement=replace(recorded.measurement, runtime_version="2.4.0"))
    devices = [{"board": {"facts": {**FACTS, "kernel": kernel}}} for kernel in ("6.1", "6.6")]
    hosts = [{"packages": {"edgebench": version}} for version in ("0.1.0", "0.2.0")]
    found = compared(
        side("base", (spec, recorded), devices=devices[0], host=hosts[0], model_sha256="1" * 64),
        side("new", (spec, newer), devices=devices[1], host=hosts[1], model_sha256="2" * 64),
    )
    assert [str(difference) for difference in found.differences] == [
        "board: sw: kernel: 6.1 -> 6.6",
        "board: litert: 2.3.0 -> 2.4.0",
        "model: 111111111111 -> 222222222222",
        "edgebench: 0.1.0 -> 0.2.0",
    ]
    assert change_of(found, "latency").why == "other conditions: runtime"


def test_two_builds_of_one_version_are_named(spec_of):
    spec = spec_of("int8", reference=None)
    sides = [
        side(name, (spec, recorded_cell(spec, times(1.0), fingerprint={"runtime": digest * 64})))
        for name, digest in (("base", "a"), ("new", "b"))
    ]
    found = compared(*sides)
    assert [str(d) for d in found.differences] == [
        "board: wheel of litert: aaaaaaaaaaaa -> bbbbbbbbbbbb"
    ]


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ((Reason.WRONG_OUTPUT,), ("fails now", "failed")),
        ((Reason.KILLED,), ("fails now", "failed")),
        ((Reason.GATE,), ("fails now", "failed")),
        # What the device was doing meanwhile does not excuse it.
        ((Reason.WRONG_OUTPUT, Reason.CONTENDED), ("fails now", "failed")),
        ((Reason.DEVICE_LOST,), ("not measured", "open")),
        ((Reason.NOT_MEASURED,), ("not measured", "open")),
    ],
)
def test_a_cell_that_fails_now_is_a_regression_unless_the_device_was_away(one, reasons, expected):
    found = one({}, {"status": Status.FAILED, "reasons": reasons, "error": "its own words"})
    change = change_of(found, "cell")
    assert told(change) == expected
    names = ", ".join(reason.value for reason in reasons)
    assert change.why == f"failed: {names}: its own words"


def test_a_device_that_was_throttled_throughout_is_no_regression(spec_of):
    spec = spec_of("int8", reference=None)
    recorded = recorded_cell(spec, times(1.0))
    processes = tuple(
        replace(process, invalid=(Reason.THROTTLED,)) for process in recorded.measurement.processes
    )
    hot = replace(recorded, measurement=replace(recorded.measurement, processes=processes))
    found = compared(side("base", (spec, recorded)), side("new", (spec, hot)))
    change = change_of(found, "cell")
    assert (*told(change), change.why) == ("not measured", "open", "invalid: throttled")


def test_a_cell_that_failed_before_is_no_regression(one):
    failed = {"status": Status.FAILED, "reasons": (Reason.KILLED,)}
    assert told(change_of(one(failed, failed), "cell")) == ("incomparable", "open")
    assert told(change_of(one(failed, {}), "cell")) == ("works now", "passed")
    assert one(failed, {}).exit_code == 0


def test_cells_of_one_run_alone_are_new_or_missing(spec_of):
    specs = [spec_of(name, reference=None) for name in ("float", "old", "fresh")]
    pairs = [(spec, recorded_cell(spec, times(1.0))) for spec in specs]
    base, new = side("base", *pairs[:2]), side("new", pairs[0], pairs[2])
    found = compared(base, new)
    whole = {
        cell.spec.variant: told(cell.changes[0])
        for cell in found.cells
        if cell.changes[0].quantity == "cell"
    }
    assert whole == {"fresh": ("new", "aside"), "old": ("missing", "open")}
    assert found.exit_code == 3
    assert compared(side("base", pairs[0]), new).exit_code == 0


def test_a_variant_that_cannot_be_made_any_more_is_a_regression(spec_of):
    specs = [spec_of(name, reference=None) for name in ("float", "int8")]
    pairs = [(spec, recorded_cell(spec, times(1.0))) for spec in specs]
    not_built = {"int8.tflite": (Reason.NOT_BUILT, "no such layer")}
    found = compared(side("base", *pairs), side("new", pairs[0], not_built=not_built))
    change = change_of(found, "cell")
    assert (*told(change), change.why) == ("fails now", "failed", "not_built: no such layer")
    assert found.exit_code == 1


@pytest.mark.parametrize("field", ["threads", "accelerator", "scenario", "format", "device"])
def test_cells_are_matched_by_all_that_their_key_is_made_of(spec_of, field):
    spec = spec_of("int8", reference=None)
    other = replace(spec, **{field: 4 if field == "threads" else "another"})
    found = compared(
        side("base", (spec, recorded_cell(spec, times(1.0)))),
        side("new", (other, recorded_cell(other, times(1.0)))),
    )
    assert [told(cell.changes[0])[0] for cell in found.cells] == ["new", "missing"]


def test_a_device_that_lost_its_runtime_fails_now(spec_of):
    spec = spec_of("int8", reference=None)
    without = replace(spec, key="int8.tflite.board.none", runtime="none")
    failed = recorded_cell(without, [], status=Status.FAILED, reasons=(Reason.NO_RUNTIME,))
    found = compared(
        side("base", (spec, recorded_cell(spec, times(1.0)))), side("new", (without, failed))
    )
    assert [told(c) for cell in found.cells for c in cell.changes] == [("fails now", "failed")]


def test_every_quantity_but_latency_has_a_change():
    assert {*CHANGES, "latency"} == set(QUANTITIES)


def test_the_document_leaves_no_key_out_and_no_number_undefined(one):
    failed = {"status": Status.FAILED, "reasons": (Reason.KILLED,)}
    documents = [change for told in ({}, failed) for change in changes(one({}, told))]
    assert len({tuple(change) for change in documents}) == 1
    assert {change["quantity"] for change in documents} == {"latency", "size", "memory", "cell"}


def changes(found):
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    return [change for cell in document["cells"] for change in cell["changes"]]
