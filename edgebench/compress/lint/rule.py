"""What a rule is, and where it looks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgebench.compress.options import PERCENT
from edgebench.core import DeviceProfile, Format, Recipe, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a step is likely to disappoint: the sentence of a rule.

    Attributes:
        source: Where it was read, or on what it was measured.
    """

    rule: str
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rule looks: at one step of a recipe, on its way to a format and to boards.

    Attributes:
        boards: Kinds of boards that the variant is to run on; empty where nobody said.
    """

    recipe: Recipe
    index: int
    target: Format
    boards: tuple[DeviceProfile, ...] = ()

    @property
    def step(self) -> Step:
        """The step that the rule judges."""
        return self.recipe.steps[self.index]

    @property
    def before(self) -> tuple[Step, ...]:
        """What was done before it."""
        return self.recipe.steps[: self.index]

    @property
    def after(self) -> tuple[Step, ...]:
        """What is done after it."""
        return self.recipe.steps[self.index + 1 :]

    def is_form(self, *forms: str) -> bool:
        """Whether the step quantizes, to one of these."""
        return self.step.name == "quantize" and self.step.value in forms

    def form_after(self) -> Step | None:
        """The step that quantizes later on."""
        return next((step for step in self.after if step.name == "quantize"), None)

    def where(self, is_such: Callable[[DeviceProfile], bool | None], *, unknown: str) -> str | None:
        """Which boards a doubt is about: `"on raspberry-pi-4"`.

        Args:
            is_such: Whether the doubt is about a board; None where its profile does not say.
            unknown: What is answered where no board is known to be such, and one may be.

        Returns:
            None where every board is known not to be such.
        """
        names = dict.fromkeys(board.name for board in self.boards if is_such(board))
        if names:
            return f"on {_listed(list(names))}"
        is_open = not self.boards or any(is_such(board) is None for board in self.boards)
        return unknown if is_open else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to be disappointed.

    Attributes:
        name: By which a plan silences it.
        check: A sentence for each thing to say of one step; silent for all steps but its own.
    """

    name: str
    source: str
    check: Callable[[Place], Iterator[str]]


def share_of(step: Step) -> float | None:
    """The share that a step was given: 0.8 for `"80 %"`; None where its value is another word."""
    found = PERCENT.fullmatch(step.value.strip()) if isinstance(step.value, str) else None
    return float(found[1]) / 100 if found else None


def number_of(step: Step) -> int | None:
    """The whole number that a step was given, in a table or in a sentence; else None."""
    value = step.value
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) else None


def is_x86(board: DeviceProfile) -> bool | None:
    """Whether a board has an x86."""
    return None if board.arch is None else board.arch == "x86"


def is_other(board: DeviceProfile) -> bool | None:
    """Whether a board has something else than an x86."""
    return None if board.arch is None else board.arch != "x86"


def has_dot_products(board: DeviceProfile) -> bool | None:
    """Whether a board is an ARM with integer dot products."""
    return _has(board, "dotprod")


def lacks_float16(board: DeviceProfile) -> bool | None:
    """Whether a board computes float16 by way of float32, as x86 does."""
    if board.arch == "x86":
        return True
    found = _has(board, "fp16")
    return None if found is None else not found


def _has(board: DeviceProfile, feature: str) -> bool | None:
    if board.arch == "x86":
        return False
    if board.arch is None or board.cpu_features is None:
        return None
    return feature in board.cpu_features


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
