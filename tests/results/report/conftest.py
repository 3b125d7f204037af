"""Runs on two boards with all that a report shows of a run."""

from dataclasses import replace

import pytest

from edgebench.core import LedgerEntry, Profile, ProfileRow, Reason, Status
from edgebench.plan import Target
from edgebench.results.cells import read_cells
from edgebench.results.frames import Readable
from edgebench.results.report.digest import digest_of
from edgebench.results.ship import advise
from edgebench.results.targets import check_targets
from tests.results.conftest import recorded_cell, run_document

FORMS = {"float": 1.0, "int8": 0.5, "pruned": 1.01}
FINGERPRINT = {"hw": "h", "sw": "s", "state": "t"}
SCORES = [1, 1, 0, 1] * 50
TARGETS = (Target(latency_p50_ms=0.8), Target(accuracy_drop_points=1.0))
PLAN = {"model": {"source": "models/net.keras"}}


def step(name, size_bytes, before=0.75, after=0.74):
    return LedgerEntry(
        step=name,
        changed={},
        accuracy_before=before,
        accuracy_after=after,
        size_bytes=size_bytes,
        gzip_bytes=size_bytes // 2,
        seconds=1.0,
        seed=0,
        settings={},
        versions={},
    )


def profile():
    rows = [
        ProfileRow(
            name=f"node {n}",
            op_type=kind,
            share=share,
            ns_per_inference=share * 1e6,
            calls=100,
            provider=None,
            is_delegated=False,
        )
        for n, (kind, share) in enumerate([("CONV_2D", 0.5), ("CONV_2D", 0.2), ("SOFTMAX", 0.3)])
    ]
    return Profile(source="litert", inferences=100, rows=tuple(rows))


def recorded(spec, factor):
    """Five launches, of which pi5 slowed down the last three."""
    medians = [factor * FORMS.get(spec.variant, 2.0) * (1 + n / 500) for n in range(5)]
    cell = recorded_cell(
        spec,
        medians,
        scores=SCORES,
        size_bytes=int(400_000 * FORMS.get(spec.variant, 2.0)),
        fingerprint=FINGERPRINT,
        missing={"energy": Reason.NO_SENSOR},
        profile=profile() if spec.variant == "int8" else None,
    )
    processes = [
        replace(p, state={"temp_max_c": {"cpu": 50.0 + 8 * n}}, sampled_s=0.4)
        for n, p in enumerate(cell.measurement.processes)
    ]
    if spec.device == "pi5":
        processes[2:] = [replace(p, suspect=(Reason.THROTTLED,)) for p in processes[2:]]
    return replace(cell, measurement=replace(cell.measurement, processes=tuple(processes)))


@pytest.fixture
def readable_run(spec_of):
    """A run of FORMS and more variants on two boards, with one cell that is wrong."""

    def make(
        name="r1", variants=(*FORMS, "wrong"), *, created="2026-01-01T00:00:00+00:00", factor=1
    ):
        specs = [
            spec_of(variant, device=device) for device in ("board", "pi5") for variant in variants
        ]
        found = {spec.key: recorded(spec, factor) for spec in specs}
        for spec in specs:
            if spec.variant == "wrong":
                wrong = replace(
                    found[spec.key].measurement,
                    status=Status.INVALID,
                    reasons=(Reason.WRONG_OUTPUT,),
                    error="cosine 0.1 <b>bold</b>",
                )
                found[spec.key] = replace(found[spec.key], measurement=wrong)
        cells = read_cells(specs, found, margin_ratio=0.05, ci_ratio=0.2)
        checked = check_targets(TARGETS, cells)
        document = run_document(
            command="run",
            created=created,
            plan=PLAN,
            cells=tuple(specs),
            not_built={"tucker.tflite": (Reason.NO_EFFECT, "nothing to factor")},
            devices={
                name: {"profile": "p", "facts": {"kernel": "6.1"}} for name in ("board", "pi5")
            },
        )
        return Readable(
            name=name,
            document=document,
            cells=cells,
            checked=checked,
            advice=advise(cells, checked, margin_ratio=0.05),
        )

    return make


@pytest.fixture
def digest_run(readable_run):
    """The digest of such a run."""
    ledgers = {"int8.tflite": (step("prune 80 %", 420_000), step("quantize int8", 200_000))}
    return lambda *words, **more: digest_of(readable_run(*words, **more), ledgers)
