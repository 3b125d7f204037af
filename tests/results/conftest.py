"""Measurements as a device would have left them, with numbers that can be reckoned by hand."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from edgebench.core import (
    Accuracy,
    Agreement,
    Format,
    Measurement,
    MemoryCheckpoint,
    MemoryProcess,
    Process,
    Recorded,
    Status,
)
from edgebench.results.cells import read_cells
from edgebench.results.frames import Readable
from edgebench.results.store import CellSpec, RunDocument
from tests.conftest import miss, need


def checkpoint(pss_bytes):
    return MemoryCheckpoint(
        rss_bytes=pss_bytes,
        pss_bytes=pss_bytes,
        anonymous_bytes=pss_bytes // 2,
        file_bytes=pss_bytes // 2,
        private_bytes=pss_bytes,
        swap_bytes=0,
        peak_bytes=pss_bytes,
    )


@pytest.fixture
def spec_of():
    def make(variant, *, device="board", reference="float"):
        return CellSpec(
            key=f"{variant}.tflite.{device}",
            variant=variant,
            format="tflite",
            device=device,
            runtime="litert",
            threads=1,
            reference=f"{reference}.tflite.{device}" if reference else None,
        )

    return make


def recorded_cell(spec, latency_ms, *, scores=None, size_bytes=1000, status=Status.OK, **more):
    """A cell whose processes have the medians `latency_ms`, and whose hits are `scores`."""
    blocks = range(len(latency_ms))
    samples = {b: np.full(100, round(latency_ms[b] * 1e6), np.int64) for b in blocks}
    accuracy = None
    if scores is not None:
        share = float(np.mean(scores))
        accuracy = Accuracy(
            metric="top1", value=share, ci95=(share, share), samples=len(scores), on="device"
        )
    process = Process(
        block=0,
        position=0,
        started="2026-01-01T00:00:00+00:00",
        load_ns=5_000_000,
        first_ns=7,
        warmup_invokes=5,
        warmup_s=1.0,
        is_steady=True,
        samples=100,
    )
    measurement = Measurement(
        key=spec.key,
        created="2026-01-01T00:00:00+00:00",
        seed=0,
        variant=spec.variant,
        format=Format.TFLITE,
        device=spec.device,
        runtime="litert",
        runtime_version="2.3.0",
        threads=1,
        accelerator="cpu",
        sha256="0" * 64,
        size_bytes=size_bytes,
        gzip_bytes=size_bytes // 2,
        status=status,
        processes=tuple(replace(process, block=b) for b in blocks),
        memory=(
            MemoryProcess(
                s0=checkpoint(10_000_000),
                s1=checkpoint(20_000_000),
                s2=checkpoint(24_000_000),
                s3=checkpoint(26_000_000),
                s4=checkpoint(26_000_000),
            ),
        ),
        accuracy=accuracy,
        agreement=Agreement(cosine=0.999, max_abs=0.01, top1=0.99, samples=10),
        **more,
    )
    scored = None if scores is None else np.asarray(scores, np.float64)
    return Recorded(measurement=measurement, samples=samples, scores=scored)


@pytest.fixture(scope="session")
def browser():
    """A browser of the session's own."""
    if find_spec("selenium") is None or find_spec("axe_playwright_python") is None:
        miss("selenium or axe-playwright-python is not installed")
    from tests.browser import opened

    with opened(need("chromium"), need("chromedriver")) as found:
        yield found


@pytest.fixture
def recorded_of():
    """See `recorded_cell`."""
    return recorded_cell


@pytest.fixture
def cells_of():
    """Read cells of pairs of what they are and what was recorded of them."""

    def read(*pairs):
        specs = [spec for spec, _ in pairs]
        recorded = {spec.key: r for spec, r in pairs if r is not None}
        return read_cells(specs, recorded, margin_ratio=0.05, ci_ratio=0.05)

    return read


def run_document(**more):
    fields = {
        "command": "bench",
        "name": "bench",
        "created": "2026-01-01T00:00:00+00:00",
        "base": "/somewhere",
        "plan": {"models": ["models/net.tflite"]},
        "protocol": {"margin_ratio": 0.05, "ci_ratio": 0.2, "preset": "quick"},
        "host": {"python": "3.11.2", "packages": {"edgebench": "0.1.0"}},
        "devices": {"board": {"profile": "linux-board", "facts": {"cpu_count": 4}}},
        "seed": 0,
        "finished": True,
    }
    return RunDocument(**{**fields, **more})


@pytest.fixture
def document_of():
    """A `run.json` of a finished `bench`."""
    return run_document


@pytest.fixture
def readable_of(spec_of, recorded_of, cells_of):
    """A run with a cell a variant, whose medians are 1.0 and 1.1 ms, and one not yet measured."""

    def make(name, variants=("float", "int8"), latency_ms=(1.0, 1.1)):
        specs = [spec_of(variant) for variant in variants]
        pairs = [(spec, recorded_of(spec, latency_ms, scores=[1, 0, 1])) for spec in specs]
        cells = cells_of(*pairs, (spec_of("open"), None))
        return Readable(
            name=name, document=run_document(cells=tuple(specs)), cells=cells, checked=(), advice=()
        )

    return make
