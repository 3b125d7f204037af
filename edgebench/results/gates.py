"""What a gate of a pipeline says: cases with a mark each, for a terminal, JUnit and Markdown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgebench.results.store import CellSpec


class Mark(StrEnum):
    """What a pipeline does with a case: the first two end with the exit codes 1 and 3."""

    FAILED = "failed"
    OPEN = "open"
    PASSED = "passed"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One limit, or one quantity, of one cell.

    Attributes:
        subject: Which cell of the device.
        what: Which limit or quantity; with `device` and `subject` it names the case in every run.
        value: What was measured.
        verdict: As `--json` has it.
        words: What else is to be said, a sentence each; the first one says why.
    """

    device: str
    subject: str
    what: str
    value: str
    verdict: str
    mark: Mark
    words: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The verdict as a person reads it."""
        return self.verdict.replace("_", " ")

    @property
    def said(self) -> str:
        """All of its words in one line."""
        return "; ".join(word.rstrip(".") for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All cases of a command.

    Attributes:
        command: `validate` or `compare`.
        title: Of which runs it is.
        created: When what is judged was measured, ISO 8601 in UTC.
        notes: What is to be known before the cases are read.
    """

    command: str
    title: str
    created: str
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where something failed, 3 where something could not be told, else 0."""
        return exit_code_of([case.mark for case in self.cases])

    def counts(self) -> str:
        """How many cases of each verdict there are: `2 FAIL, 5 PASS`."""
        order = list(Mark)
        cases = sorted(self.cases, key=lambda case: order.index(case.mark))
        counted = Counter(case.shown for case in cases)
        return ", ".join(f"{count} {verdict}" for verdict, count in counted.items())


def exit_code_of(marks: Sequence[Mark]) -> int:
    """The exit code that the marks of all cases come to.

    >>> exit_code_of([Mark.PASSED, Mark.OPEN]), exit_code_of([Mark.OPEN, Mark.FAILED])
    (3, 1)
    """
    if Mark.FAILED in marks:
        return 1
    return 3 if Mark.OPEN in marks else 0


def subject_of(spec: CellSpec) -> str:
    """A cell among those of its device.

    >>> plain = CellSpec(
    ...     key="", variant="int8", format="onnx", device="pi5", runtime="onnxruntime", threads=4
    ... )
    >>> subject_of(plain)
    'int8 (onnx, 4 threads)'
    """
    told = [spec.format]
    told += [f"{spec.threads} threads"] if spec.threads != 1 else []
    told += [name for name in (spec.accelerator, spec.scenario) if name not in {"cpu", "single"}]
    return f"{spec.variant} ({', '.join(told)})"
