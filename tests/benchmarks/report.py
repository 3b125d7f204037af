"""How long a report of many cells takes, how large it is, and how soon a browser shows it.

python -m tests.benchmarks.report [--devices 20] [--variants 50] [--runs 10] [--trend]
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from edgebench.core import Format
from edgebench.plan import read_plan, shipped_plan
from edgebench.results.store import CellSpec, RunDocument, write_recorded, write_run
from edgebench.workflow.environment import host_environment
from tests.browser import opened
from tests.results.conftest import recorded_cell

FACTS: dict[str, JsonValue] = {
    "kernel": "6.1.0",
    "os": "Debian GNU/Linux 12",
    "cpu_features": ["dotprod"] * 10,
}


def spec_of(device: str, variant: str) -> CellSpec:
    key = f"{variant}.tflite.{device}.litert.t1.cpu"
    return CellSpec(
        key=key,
        variant=variant,
        format="tflite",
        device=device,
        runtime="litert",
        threads=1,
        reference=f"variant-0.tflite.{device}.litert.t1.cpu",
    )


def write_one(out: Path, number: int, specs: list[CellSpec], samples: int) -> Path:
    """A run as the demo's, with five launches a cell."""
    rng = np.random.default_rng(number)
    folder = out / f"2026010{number}T000000Z-many-{number:04x}"
    write_run(
        folder,
        RunDocument(
            command="run",
            name="many",
            created=f"2026-01-{number + 1:02d}T00:00:00+00:00",
            base="/somewhere",
            plan=asdict(read_plan(shipped_plan("demo"))),
            protocol={"preset": "quick", "margin_ratio": 0.05, "ci_ratio": 0.05},
            host=host_environment(),
            devices={spec.device: {"profile": "linux-board", "facts": FACTS} for spec in specs},
            cells=tuple(specs),
            seed=0,
            finished=True,
        ),
    )
    for spec in specs:
        speed = 1 + int(spec.variant.rpartition("-")[2]) / 10
        hits = (rng.random(200) < 0.9 - speed / 50).astype(float)
        cell = recorded_cell(spec, [speed] * 5, scores=hits, size_bytes=int(1e6 / speed))
        latency_ns = {b: rng.normal(speed * 1e6, 2e4, samples).astype(np.int64) for b in range(5)}
        measurement = replace(
            cell.measurement,
            format=Format.TFLITE,
            fingerprint={"hw": spec.device, "sw": "s", "state": "t"},
        )
        write_recorded(folder, replace(cell, measurement=measurement, samples=latency_ns))
    return folder


def told(words: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of the processor, and megabytes at most of a program."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    passed = time.perf_counter() - started
    return passed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def painted(page: Path) -> tuple[float, float]:
    """Seconds to the first paint, and until the table stands; of five times the middle."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    assert chromium is not None
    assert driver is not None
    first, whole = [], []
    with opened(chromium, driver) as browser:
        for _ in range(5):
            browser.open(page)
            browser.wait("return document.querySelector('#t-cells tbody tr')")
            script = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
            first.append(browser.run(script) / 1e3)
            script = "return performance.timing.loadEventEnd - performance.timing.navigationStart"
            whole.append(browser.run(script) / 1e3)
    return statistics.median(first), statistics.median(whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {"devices": 20, "variants": 50, "runs": 10, "samples": 200}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--trend", action="store_true")
    asked = parser.parse_args()
    specs = [
        spec_of(f"device-{d}", f"variant-{v}")
        for d in range(asked.devices)
        for v in range(asked.variants)
    ]
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        runs = [write_one(out, n, specs, asked.samples) for n in range(asked.runs)]
        page = out / "report.html"
        words = [sys.executable, "-m", "edgebench", "report", *map(str, runs), "--out", str(page)]
        words += ["--trend"] if asked.trend else []
        print(f"{len(runs) * len(specs)} cells, 5 launches of {asked.samples} samples each\n")
        print("| report | s | s of the processor | MB |\n|---|---:|---:|---:|")
        for what in ("of raw samples, once", "as it was kept"):
            print("| {} | {:.1f} | {:.1f} | {:.0f} |".format(what, *told(words)), flush=True)
        kept = sum(path.stat().st_size for path in out.glob("*/.report.json"))
        first, whole = painted(page)
        print(f"\nfile: {page.stat().st_size / 1e6:.1f} MB; what is kept: {kept / 1e6:.1f} MB")
        print(f"first paint: {first:.2f} s; loaded: {whole:.2f} s")
        assert re.search(r"<section id=\"cells\"", page.read_text("utf-8"))


if __name__ == "__main__":
    main()
