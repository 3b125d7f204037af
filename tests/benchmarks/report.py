"""How long a report of many cells takes, how large it is, and how soon a browser shows it.

python -m tests.benchmarks.report [--devices 20] [--variants 50] [--runs 10] [--no-browser]
"""

import argparse
import os
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

from edgebench.plan import read_plan, shipped_plan
from edgebench.results.report.digest import CellDigest, RunDigest
from edgebench.results.report.kept import KEPT, keep, stamp_of
from edgebench.results.store import CellSpec, RunDocument, write_recorded, write_run
from edgebench.workflow.environment import host_environment
from edgebench.workflow.report import digest_run
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


def document(number: int, specs: list[CellSpec]) -> RunDocument:
    """As the demo's."""
    return RunDocument(
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
    )


def measured(folder: Path, specs: list[CellSpec], samples: int) -> RunDigest:
    """A run of one device, from raw samples: five launches a cell."""
    rng = np.random.default_rng(0)
    write_run(folder, document(0, specs))
    for spec in specs:
        speed = 1 + int(spec.variant.rpartition("-")[2]) / 10
        hits = (rng.random(200) < 0.9 - speed / 50).astype(float)
        cell = recorded_cell(spec, [speed] * 5, scores=hits, size_bytes=int(1e6 / speed))
        latency_ns = {b: rng.normal(speed * 1e6, 2e4, samples).astype(np.int64) for b in range(5)}
        prints = {"hw": "h", "sw": "s", "state": "t"}
        measurement = replace(cell.measurement, fingerprint=prints)
        write_recorded(folder, replace(cell, measurement=measurement, samples=latency_ns))
    started = time.perf_counter(), time.process_time()
    digest = digest_run(folder)
    passed = time.perf_counter() - started[0], time.process_time() - started[1]
    per_cell = [f"{1e3 * seconds / len(specs):.0f} ms" for seconds in passed]
    print(f"from raw samples, once: {per_cell[0]} a cell, {per_cell[1]} of the processor")
    return digest


def on(cell: CellDigest, device: str, factor: float) -> CellDigest:
    """The cell as another device would have it."""
    key, reference = (text.replace("device-0", device) for text in (cell.key, cell.reference or ""))
    columns = dict(cell.columns) | {"device": device, "cell": key}
    for end in ("", "_low", "_high"):
        columns[f"latency_p50{end}_ms"] = (cell.number(f"latency_p50{end}_ms") or 1.0) * factor
    shown = {**cell.shown, "device": device}
    return replace(cell, key=key, reference=reference, columns=columns, shown=shown)


def write_one(out: Path, number: int, digest: RunDigest, devices: list[str]) -> Path:
    """A run of many devices, as its digest alone."""
    folder = out / f"2026010{number}T000000Z-many-{number:04x}"
    write_run(folder, document(number, []))
    cells = tuple(
        on(cell, device, (1 + n / 10) * (1.2 if number > 5 else 1.0))
        for n, device in enumerate(devices)
        for cell in digest.cells
    )
    many = replace(
        digest,
        name=folder.name,
        created=f"2026-01-{number + 1:02d}T00:00:00+00:00",
        devices={device: {"profile": "linux-board", "facts": FACTS} for device in devices},
        cells=cells,
        advice=tuple(
            replace(told, device=device, key=(told.key or "").replace("device-0", device))
            for device in devices
            for told in digest.advice
        ),
    )
    keep(folder, many, stamp_of(folder))
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
    for name, value in {"devices": 20, "variants": 50, "runs": 10, "samples": 2000}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args()
    specs = [spec_of("device-0", f"variant-{v}") for v in range(asked.variants)]
    devices = [f"device-{d}" for d in range(asked.devices)]
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        digest = measured(out / "measured", specs, asked.samples)
        runs = [write_one(out, n, digest, devices) for n in range(asked.runs)]
        page = out / "report.html"
        words = [sys.executable, "-m", "edgebench", "report", *map(str, runs), "--out", str(page)]
        cells = len(runs) * len(specs) * len(devices)
        kept = sum((run / KEPT).stat().st_size for run in runs)
        print(f"\n{cells} cells, whose digests have {kept / 1e6:.0f} MB\n")
        print(
            "| report | s | s of the processor | memory, MB | file, MB |\n|---|---:|---:|---:|---:|"
        )
        for option in ((), ("--trend",)):
            row = "| {} | {:.1f} | {:.1f} | {:.0f} | {:.1f} |"
            what = " ".join(("`report", *option)) + "`"
            numbers = told([*words, *option])
            print(row.format(what, *numbers, page.stat().st_size / 1e6), flush=True)
        if not asked.no_browser:
            print("\nfirst paint: {:.2f} s; loaded: {:.2f} s".format(*painted(page)))


if __name__ == "__main__":
    main()
