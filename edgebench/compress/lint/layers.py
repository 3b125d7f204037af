"""What narrower and factorized layers bring, and what is lost where nobody trains again."""

from collections.abc import Iterator
from typing import Final

from edgebench.compress.lint.rule import Place, Rule, number_of, share_of
from edgebench.core import Step

FACTORIZATIONS: Final = frozenset({"lowrank", "tucker", "cp"})
SURGERY: Final = FACTORIZATIONS | {"filters"}
# What kernels of CPUs compute at once.
TILE: Final = 8
FEW_FILTERS: Final = 0.10
MANY_ZEROS: Final = 0.60
FEW_VALUES: Final = 8


def _uneven_rank(place: Place) -> Iterator[str]:
    rank = number_of(place.step)
    if place.step.name in FACTORIZATIONS and rank is not None and rank % TILE:
        below = rank // TILE * TILE
        better = " or ".join(str(even) for even in (below, below + TILE) if even)
        yield f"a rank of {rank} is no multiple of {TILE}, and time goes in stairs: take {better}"


def _uneven_filters(place: Place) -> Iterator[str]:
    multiple = place.step.options.get("round")
    if place.step.name == "filters" and isinstance(multiple, int) and multiple % TILE:
        yield (
            f"round = {multiple} leaves widths that are no multiple of {TILE}: time goes in "
            f"stairs, 193 channels took 14 % longer than 192"
        )


def _few_filters(place: Place) -> Iterator[str]:
    share = share_of(place.step)
    if place.step.name == "filters" and share is not None and share < FEW_FILTERS:
        yield (
            f"{100 * share:g} % of the channels seldom pay: ResNet-50 ran slower with 5 % of them "
            f"gone than with all, and narrow layers may be rounded up to what they were"
        )


def _cp(place: Place) -> Iterator[str]:
    if place.step.name == "cp":
        yield (
            "cp needs a far higher rank than tucker for the same error: try both, and compare "
            "what is left of the accuracy"
        )


def _untuned(place: Place) -> Iterator[str]:
    if _is_drastic(place.step) and not any(map(_trains, (place.step, *place.after))):
        yield (
            f"{str(place.step)!r} loses accuracy, and no step from here on trains: say "
            f"tune = '3 epochs', if the model is one of Keras"
        )


def _is_drastic(step: Step) -> bool:
    """Whether a step changes more than a model bears without training."""
    if step.name == "prune":
        return (share_of(step) or 0.0) >= MANY_ZEROS
    if step.name == "cluster":
        return (number_of(step) or FEW_VALUES + 1) <= FEW_VALUES
    return step.name in SURGERY


def _trains(step: Step) -> bool:
    # A step of the user's own may do anything.
    return "tune" in step.options or step.name == "step"


RULES: Final = (
    Rule(
        name="rank-uneven",
        source=(
            "LiteRT 2.3, x86, a 3x3 convolution of 28x28 from 256 to 256, 193, 192, 186 channels: "
            "8.78, 7.66, 6.70, 6.88 ms"
        ),
        check=_uneven_rank,
    ),
    Rule(
        name="filters-uneven",
        source=(
            "LiteRT 2.3, x86, a 3x3 convolution of 28x28 from 256 to 256, 193, 192, 186 channels: "
            "8.78, 7.66, 6.70, 6.88 ms"
        ),
        check=_uneven_filters,
    ),
    Rule(
        name="filters-few",
        source=(
            "46.5 ms against 45.2, batch 64: section Latency of "
            "https://pypi.org/project/torch-pruning/1.6.1/"
        ),
        check=_few_filters,
    ),
    Rule(
        name="cp-rank",
        source=(
            "tensorly 0.10, a kernel of rank 64 with noise: 70 % error by cp of rank 64, 0.4 % by "
            "tucker of 64 and 64"
        ),
        check=_cp,
    ),
    Rule(
        name="untuned",
        source=(
            "ResNet-8, 4 epochs of 9,000 images of Fashion-MNIST, 76.8 %: 46.5 with 60 % of its "
            "weights zero, 71.3 with 8 values a tensor, 74.9 with 16; a net of 83,000 parameters "
            "on digits, 96.2 %: 10 by tucker and 98.0 once tuned, 73 by cp and 96.4"
        ),
        check=_untuned,
    ),
)
