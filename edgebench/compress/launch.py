"""Start a worker process for a task, listen to it, and read its answer."""

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from edgebench.compress.crew import Crew, kill
from edgebench.compress.technique import Outcome, Task
from edgebench.compress.worker import ANSWER, ANSWER_FILE, PROGRESS_FD, TASK, TASK_FILE
from edgebench.core import Progress
from edgebench.errors import CompressionError, ConfigError, NoEffect
from edgebench.runner import ENVIRONMENT

WORKER_ENVIRONMENT: Final[Mapping[str, str]] = {
    **ENVIRONMENT,
    # oneDNN corrupts the heap when a strided 1x1 convolution with few channels is trained.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # tensorflow-model-optimization sets it to 1 for all child processes: that would be Keras 2.
    "TF_USE_LEGACY_KERAS": "0",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONUNBUFFERED": "1",
}
# Who reads how many threads it may use: TensorFlow, OpenMP, OpenBLAS.
THREADS: Final = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
REFUSALS: Final = {kind.__name__: kind for kind in (CompressionError, ConfigError, NoEffect)}
LOG_TAIL_CHARS: Final = 600
INSTALL: Final = "pip install 'edgebench[compress]'"


def versions_of(tools: tuple[str, ...]) -> dict[str, str]:
    """Versions of distributions, without importing them; one that is missing is left out."""
    found = {}
    for tool in tools:
        try:
            found[tool] = importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            if tool == "tensorflow" and (other := versions_of(("tensorflow-cpu",))):
                found[tool] = other["tensorflow-cpu"]
    return found


def check_tools(tools: tuple[str, ...]) -> None:
    """Raise ConfigError where a distribution of the extra `compress` is missing."""
    missing = sorted(set(tools) - set(versions_of(tools)))
    if missing:
        msg = f"Making this variant needs {', '.join(missing)}, which {_is(missing)} not installed."
        raise ConfigError(msg, hint=f"Install what compresses: {INSTALL}")


def run_task(task: Task, *, crew: Crew, log: Path, progress: Progress) -> Outcome:
    """Carry out a task in a process of its own, to its end.

    The process dies with this one's call: an interrupt ends both.

    Raises:
        NoEffect: The step changed nothing.
        CompressionError: The way refused, or its tools failed: the message has their last words.
    """
    (task.folder / TASK_FILE).write_bytes(TASK.dump_json(task))
    (task.folder / ANSWER_FILE).unlink(missing_ok=True)
    with log.open("wb") as chatter:
        worker = _worker(task.folder, chatter.fileno(), threads=crew.threads)
        with worker as (process, lines), crew.with_(process):
            for line in lines:
                progress(line)
            code = process.wait()
    answer_path = task.folder / ANSWER_FILE
    if not answer_path.exists():
        raise _crash(task, code, log)
    answer = ANSWER.validate_json(answer_path.read_bytes())
    if answer.refusal is not None:
        kind = REFUSALS.get(answer.refusal.kind, CompressionError)
        raise kind(answer.refusal.message, hint=answer.refusal.hint)
    assert answer.outcome is not None
    return answer.outcome


@contextmanager
def _worker(
    folder: Path, chatter: int, *, threads: int
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    reader, writer = os.pipe()
    package = Path(str(resources.files("edgebench"))).parent
    path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
    environment = {
        **os.environ,
        **WORKER_ENVIRONMENT,
        **dict.fromkeys(THREADS, str(threads)),
        "PYTHONPATH": path,
        PROGRESS_FD: str(writer),
    }
    # -P: a folder called `keras` or `onnx` where the user stands must not hide the real one.
    argv = [sys.executable, "-P", "-m", "edgebench.compress.worker", str(folder)]
    with os.fdopen(reader, encoding="utf-8", errors="replace") as stream:
        try:
            process = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=chatter,
                stderr=subprocess.STDOUT,
                pass_fds=(writer,),
                process_group=0,
            )
        finally:
            os.close(writer)
        try:
            yield process, (line.rstrip("\n") for line in stream)
        finally:
            kill(process)
            process.wait()


def _crash(task: Task, code: int, log: Path) -> CompressionError:
    said = log.read_text(errors="replace")
    # A traceback ends at its first line without an indent: that line names the error.
    _, traceback, frames = said.rpartition("Traceback (most recent call last):\n")
    named = re.search(r"^\S.*$", frames, re.MULTILINE) if traceback else None
    tail = named[0] if named else said[-LOG_TAIL_CHARS:].strip() or "-"
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    source = task.source.path.name if task.source else ""
    what = f"{task.step or task.way} of {source}".removesuffix(" of ")
    msg = f"{what!r} failed: its process {ended}. {tail[:LOG_TAIL_CHARS]}"
    return CompressionError(msg, hint=f"All that it printed: {log}")


def _is(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"
