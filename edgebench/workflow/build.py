"""Every variant of an order, made or taken from the cache."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgebench.compress.crew import Crew
from edgebench.compress.inspect import read_artifact
from edgebench.compress.pipeline import build, open_model
from edgebench.compress.samples import check_numbers
from edgebench.compress.technique import UserCode
from edgebench.core import Artifact, Format, Model, Reason, Recipe, Variant
from edgebench.data import Dataset, Metric, inputs_for, load_dataset, load_metric
from edgebench.errors import CompressionError, ConfigError, NoEffect
from edgebench.plan import Gate
from edgebench.results.store import (
    RunDocument,
    read_ledger,
    variant_path,
    write_variant,
)
from edgebench.workflow.order import Desk, Order

# What a form is made for beside its format: a runtime that needs it otherwise.
Compat = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One variant in one form, and the float form of the same format.

    Attributes:
        reference: The float conversion: what the outputs of this one are compared with.
    """

    variant: Variant
    target: Format
    compat: Compat
    reference: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the plan's `[data]` holds; None for both where there is no such table."""

    dataset: Dataset | None
    metric: Metric | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What building needs, opened once."""

    order: Order
    desk: Desk
    model: Model
    samples: Samples
    crew: Crew = field(default_factory=Crew)


def load_samples(order: Order) -> Samples:
    """Load the data and the metric.

    Raises:
        ConfigError: The model is none, or the data is none that it and the steps can work with.
    """
    source, data = order.plan.model.source, order.plan.data
    artifact = None if source.startswith("zoo:") else read_artifact(order.base / source)
    if data is None:
        return Samples(dataset=None, metric=None)
    dataset = load_dataset(data.source, base=order.base)
    if any(recipe.steps for recipe, _ in order.recipes):
        check_numbers(dataset.calibration)
    if artifact is not None and artifact.inputs:
        for arrays in (dataset.calibration, dataset.validation.x, dataset.test.x):
            inputs_for({name: array[:1] for name, array in arrays.items()}, artifact.inputs)
    return Samples(dataset=dataset, metric=load_metric(data.metric, base=order.base))


def open_workshop(order: Order, samples: Samples, desk: Desk) -> Workshop:
    """Open the model; train it first if it is one of the zoo."""
    for note in samples.dataset.notes if samples.dataset else ():
        desk.progress(f"data: {note}")
    model = open_model(
        order.plan.model.source,
        base=order.base,
        dataset=samples.dataset,
        cache=desk.cache,
        seed=order.protocol.seed,
        progress=desk.progress,
    )
    return Workshop(order=order, desk=desk, model=model, samples=samples)


def check_same(run: RunDocument, workshop: Workshop) -> RunDocument:
    """The run with its model and data named; refuses to go on with others than it began with."""
    dataset = workshop.samples.dataset
    found = replace(
        run,
        model_sha256=workshop.model.artifact.sha256,
        data_sha256=dataset.digest if dataset else None,
    )
    for what, before, now in (
        ("model", run.model_sha256, found.model_sha256),
        ("data", run.data_sha256, found.data_sha256),
    ):
        if before is not None and before != now:
            msg = f"The {what} of {run.name!r} is not what the run began with: {now}, not {before}."
            raise ConfigError(msg, hint="Begin a new run; this one keeps what it has.")
    return found


Form = tuple[Recipe, Format, Compat]
Kept = Callable[[Recipe, Format, Compat], Variant | None]


def nothing_kept(recipe: Recipe, target: Format, compat: Compat) -> Variant | None:
    """What is kept of a run that begins."""
    del recipe, target, compat
    return None


def kept_in(folder: Path, model: Model) -> Kept:
    """What a run has kept, taken as it is: its measurements are of that file.

    Newer tools may make another file of the same recipe.
    """

    def find(recipe: Recipe, target: Format, compat: Compat) -> Variant | None:
        path = variant_path(folder, recipe.name, target, compat=compat)
        ledger = read_ledger(path)
        origin = (model.artifact.sha256, recipe.digest)
        if ledger is None or (ledger.model_sha256, ledger.recipe_sha256) != origin:
            return None
        artifact = read_artifact(path)
        if artifact.sha256 != ledger.sha256:
            return None
        return Variant(model=model, recipe=recipe, artifact=artifact, ledger=ledger.steps)

    return find


def build_all(
    workshop: Workshop, compats: tuple[Compat, ...], *, folder: Path, kept: Kept = nothing_kept
) -> tuple[list[Built], dict[str, tuple[Reason, str]]]:
    """Make every variant in every form that a device needs; say of the rest why not.

    Args:
        folder: Where each is kept as soon as it is there.
        kept: Asked first for what an earlier, broken run has made.
    """
    recipes = workshop.order.recipes
    targets = list(dict.fromkeys(target for _, formats in recipes for target in formats))
    floats: dict[Format, Artifact | CompressionError] = {}
    made: dict[tuple[str, Format, Compat], Built | CompressionError] = {}

    def convert(target: Format) -> None:
        try:
            crew = workshop.crew
            floats[target] = _make(workshop, crew, Recipe(name="float"), target, Compat()).artifact
        except CompressionError as error:
            floats[target] = error

    def make(form: Form) -> None:
        recipe, target, compat = form
        reference = floats[target]
        try:
            if isinstance(reference, CompressionError):
                raise reference
            variant = kept(recipe, target, compat)
            if variant is None:
                variant = _make(workshop, workshop.crew, recipe, target, compat)
                write_variant(folder, variant, compat=compat)
            made[recipe.name, target, compat] = Built(
                variant=variant, target=target, compat=compat, reference=reference
            )
        except CompressionError as error:
            made[recipe.name, target, compat] = error

    forms = [
        (recipe, target, compat)
        for target in targets
        for recipe, formats in recipes
        if target in formats
        for compat in (compats if target is Format.TFLITE else (Compat(),))
    ]
    workshop.crew.map(convert, targets)
    workshop.crew.map(make, spread(forms))
    answers = [(recipe, target, made[recipe.name, target, c]) for recipe, target, c in forms]
    not_built = {
        f"{recipe.name}.{target.value}": _why(workshop, recipe, answer)
        for recipe, target, answer in answers
        if isinstance(answer, CompressionError)
    }
    return [answer for _, _, answer in answers if isinstance(answer, Built)], not_built


def spread(forms: Sequence[Form]) -> list[Form]:
    """Those that begin with the same step far from each other.

    What they share is made once, and whoever comes second would wait for it in a worker's place.
    """
    turns: dict[int, list[Form]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for form in forms:
        first = str(form[0].steps[:1])
        turns[seen[first]].append(form)
        seen[first] += 1
    return [form for turn in sorted(turns) for form in turns[turn]]


def _why(workshop: Workshop, recipe: Recipe, error: CompressionError) -> tuple[Reason, str]:
    workshop.desk.progress(f"{recipe.name}: {error}")
    reason = Reason.NO_EFFECT if isinstance(error, NoEffect) else Reason.NOT_BUILT
    return reason, error.in_full()


def _make(
    workshop: Workshop, crew: Crew, recipe: Recipe, target: Format, compat: Compat
) -> Variant:
    plan = workshop.order.plan
    return build(
        workshop.model,
        recipe,
        target,
        dataset=workshop.samples.dataset,
        metric=workshop.samples.metric,
        cache=workshop.desk.cache,
        seed=workshop.order.protocol.seed,
        compat=compat,
        code=UserCode(
            base=workshop.order.base.absolute(),
            objects=plan.model.objects,
            loss=plan.model.loss,
        ),
        crew=crew,
        progress=workshop.desk.progress,
    )


def gate_reason(variant: Variant, gate: Gate) -> str | None:
    """Why a variant gets no device time: what it lost on the validation set; None if it may go."""
    drop_points = gate.accuracy_drop_points
    if variant.name in gate.send:
        return None
    known = [
        share
        for entry in variant.ledger
        for share in (entry.accuracy_before, entry.accuracy_after)
        if share is not None
    ]
    if drop_points is None or len(known) < 2:
        return None
    # The first that is known is that of the float form, whatever format the model came in.
    lost = 100 * (known[0] - known[-1])
    if lost <= drop_points:
        return None
    return f"It lost {lost:.1f} points on the validation set; the gate allows {drop_points:g}."
