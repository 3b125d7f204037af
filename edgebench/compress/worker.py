"""The worker process: carries out one Task and writes its answer.

    python -P -m edgebench.compress.worker FOLDER

`FOLDER/task.json` is the task. The answer goes to `FOLDER/answer.json`, and lines of progress to
the file descriptor that PROGRESS_FD names. Whatever else a converter prints is the log.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from edgebench.compress.loads import check_loads
from edgebench.compress.steps import WAYS
from edgebench.compress.technique import Outcome, Task
from edgebench.errors import EdgebenchError

PROGRESS_FD: Final = "EDGEBENCH_PROGRESS_FD"
TASK_FILE: Final = "task.json"
ANSWER_FILE: Final = "answer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error that the user can mend, on its way to the process that waits for the answer.

    Attributes:
        kind: Name of the class in `edgebench.errors`.
    """

    kind: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of the task: one of the two."""

    outcome: Outcome | None = None
    refusal: Refusal | None = None


TASK: Final = TypeAdapter(Task)
ANSWER: Final = TypeAdapter(Answer)


def carry_out(task: Task, *, progress_fd: int) -> Answer:
    """Walk the task's way. An error that is no EdgebenchError is a traceback in the log."""

    def progress(words: str) -> None:
        os.write(progress_fd, f"{words}\n".encode())

    way = WAYS[task.way]
    try:
        outcome = way.function(task, progress)
        check_loads(outcome.path, way.target)
        return Answer(outcome=outcome)
    except EdgebenchError as error:
        refusal = Refusal(kind=type(error).__name__, message=str(error), hint=error.hint)
        return Answer(refusal=refusal)


def main() -> None:
    """Read the task, carry it out, write the answer."""
    folder = Path(sys.argv[1])
    task = TASK.validate_json((folder / TASK_FILE).read_bytes())
    answer = carry_out(task, progress_fd=int(os.environ[PROGRESS_FD]))
    part = folder / f"{ANSWER_FILE}.part"
    part.write_bytes(ANSWER.dump_json(answer))
    part.rename(folder / ANSWER_FILE)


if __name__ == "__main__":
    main()
