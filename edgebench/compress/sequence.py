"""In which order steps may stand: what one makes, another may not destroy.

Each step typically destroys the results of the one before, as the guide to collaborative
optimization of tensorflow-model-optimization says of its own techniques:
https://www.tensorflow.org/model_optimization/guide/combine/collaborative_optimization
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edgebench.core import Recipe, Step
from edgebench.errors import ConfigError

# What steps make of a model, as an error names it.
PROPERTIES: Final[Mapping[str, str]] = {
    "zeros": "the zeros",
    "clusters": "the clusters",
    "ties": "the shared weights",
    "layers": "the smaller layers",
    "integers": "the quantized weights",
    "encoding": "the sparse encoding",
}
WEIGHTS: Final = frozenset({"zeros", "clusters"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a step does to what earlier steps made; each name is one of PROPERTIES.

    Attributes:
        destroys: Unless the step says `keep`, where it can.
        can_keep: What `keep` of the step may name.
    """

    makes: frozenset[str] = frozenset()
    destroys: frozenset[str] = frozenset()
    can_keep: frozenset[str] = frozenset()


# A layer that is replaced takes along what was done to its weights.
SURGERY: Final = Effect(makes=frozenset({"layers"}), destroys=WEIGHTS | {"ties"})
# Another model begins anew.
ANOTHER: Final = Effect(makes=frozenset({"layers"}), destroys=WEIGHTS | {"ties", "layers"})

# By what a step is called; where its wording decides, by the name that `_kind` gives it.
EFFECTS: Final[Mapping[str, Effect]] = {
    "student": ANOTHER,
    "distil another": ANOTHER,
    # A copy of another width has new weights in the same layers.
    "distil width": SURGERY,
    "distil": Effect(destroys=WEIGHTS, can_keep=WEIGHTS),
    "filters": SURGERY,
    "lowrank": SURGERY,
    "tucker": SURGERY,
    "cp": SURGERY,
    "share": Effect(makes=frozenset({"ties"}), can_keep=WEIGHTS),
    # One mean of several weights is none of them.
    "share layers": Effect(makes=frozenset({"ties"}), destroys=WEIGHTS),
    # Each channel is multiplied by a number of its own: a zero stays one, a shared value does not.
    "fold bn": Effect(destroys=frozenset({"clusters"})),
    "fold": Effect(),
    # A second pruning prunes further: what is zero is the smallest there is.
    "prune": Effect(
        makes=frozenset({"zeros"}),
        destroys=frozenset({"clusters"}),
        can_keep=frozenset({"zeros"}),
    ),
    "cluster": Effect(
        makes=frozenset({"clusters"}), destroys=WEIGHTS, can_keep=frozenset({"zeros"})
    ),
    # Rounding maps zero to zero, and equal weights of a channel to equal integers.
    "quantize": Effect(makes=frozenset({"integers"}), can_keep=WEIGHTS),
    "quantize aware": Effect(makes=frozenset({"integers"}), destroys=WEIGHTS, can_keep=WEIGHTS),
    "sparse": Effect(makes=frozenset({"encoding"})),
    # The user's own: what it does is seen on the file; training moves every weight.
    "step": Effect(can_keep=WEIGHTS),
    "step tuned": Effect(destroys=WEIGHTS, can_keep=WEIGHTS),
}

ORDER: Final = (
    "An order that works: student, filters, lowrank, tucker, cp; share; fold bn; prune; cluster; "
    "quantize, or sparse encode. distil 'self' may stand wherever it keeps what is there."
)


def check_sequence(recipe: Recipe) -> None:
    """Raise ConfigError where a step destroys, or lacks, what another one makes."""
    made: dict[str, Step] = {}
    for index, step in enumerate(recipe.steps):
        effect = EFFECTS[_kind(step)]
        _check_end(recipe, step, made)
        if step.name == "sparse":
            _check_sparse(recipe, index)
        kept = _kept(recipe, index, effect, made)
        _check_kept(recipe, step, effect, made, kept)
        made |= dict.fromkeys(effect.makes, step)


def _kind(step: Step) -> str:
    """The name under which EFFECTS knows the step in this wording."""
    if step.name == "quantize" and step.options.get("aware") is True:
        return "quantize aware"
    if step.name == "fold" and step.value == "bn":
        return "fold bn"
    if step.name == "distil" and step.value != "self":
        return "distil another"
    if step.name == "distil" and step.options.get("width") is not None:
        return "distil width"
    if step.name == "share" and step.value != "identical":
        return "share layers"
    if step.name == "step" and "tune" in step.options:
        return "step tuned"
    return step.name


def _check_end(recipe: Recipe, step: Step, made: Mapping[str, Step]) -> None:
    """Nothing can be done to a model of integers, or to one whose weights are encoded."""
    for name in ("integers", "encoding"):
        if name in made:
            msg = f"{recipe.name!r}: {str(step)!r} cannot follow {str(made[name])!r}."
            raise ConfigError(msg, hint=ORDER)


def _check_sparse(recipe: Recipe, index: int) -> None:
    step, before, after = recipe.steps[index], recipe.steps[:index], recipe.steps[index + 1 :]
    # Files whose weights are both fail to load: "failed to delegate CONV_2D" (LiteRT 2.3).
    other = next((other for other in after if other.name == "quantize"), None)
    if other is not None:
        msg = f"{recipe.name!r}: {str(step)!r} is for float weights, not for {str(other)!r}."
        raise ConfigError(msg, hint="Drop one of the two.")
    if not any(other.name in {"prune", "step"} for other in before):
        msg = f"{recipe.name!r}: {str(step)!r} encodes zeros, but no step before it makes any."
        raise ConfigError(msg, hint="Prune first: { prune = '80 %' }.")


def _kept(recipe: Recipe, index: int, effect: Effect, made: Mapping[str, Step]) -> frozenset[str]:
    """What the step says that it keeps."""
    step = recipe.steps[index]
    listed = step.options.get("keep") or []
    kept = [str(name) for name in (listed if isinstance(listed, list) else [listed])]
    is_open = any(other.name == "step" for other in recipe.steps[:index])
    for name in kept:
        if name not in effect.can_keep:
            can = ", ".join(sorted(effect.can_keep)) or "nothing"
            msg = f"{recipe.name!r}: {str(step)!r} cannot keep {name!r}."
            raise ConfigError(msg, hint=f"It can keep {can}.")
        if name not in made and not is_open:
            msg = f"{recipe.name!r}: {str(step)!r} keeps {name}, but no step before it made any."
            raise ConfigError(
                msg, hint="Leave it out of `keep`, or put the step that makes it first."
            )
    return frozenset(kept)


def _check_kept(
    recipe: Recipe, step: Step, effect: Effect, made: Mapping[str, Step], kept: frozenset[str]
) -> None:
    for name, words in PROPERTIES.items():
        if name in made and name in effect.destroys - kept:
            msg = (
                f"{recipe.name!r}: {str(step)!r} would destroy {words} "
                f"that {str(made[name])!r} made."
            )
            can_keep = [n for n in made if n in effect.can_keep]
            listed = ", ".join(f'"{n}"' for n in can_keep)
            hint = f"Say keep = [{listed}] beside it." if name in effect.can_keep else ORDER
            raise ConfigError(msg, hint=hint)
