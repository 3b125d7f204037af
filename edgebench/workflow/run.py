"""`run`, `run --resume` and `compress`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

from pydantic import JsonValue

from edgebench.core import Artifact, Device, Format, Job, Reason, Status
from edgebench.data import inputs_for
from edgebench.errors import DeviceError, JobFailed
from edgebench.measure.cell import PASSING, Task
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.tasks import Feed, Served, serve
from edgebench.plan import plan_from, read_plan
from edgebench.results.store import (
    CellSpec,
    RunDocument,
    create_run,
    read_all,
    read_run,
    write_run,
)
from edgebench.workflow.accelerators import accelerators_for, reference_key
from edgebench.workflow.bench import resume_bench
from edgebench.workflow.build import (
    Built,
    Compat,
    Samples,
    Workshop,
    build_all,
    check_same,
    gate_reason,
    kept_in,
    load_samples,
    open_workshop,
)
from edgebench.workflow.cells import (
    Bill,
    Settled,
    bill_of,
    carry_out,
    spec_of,
)
from edgebench.workflow.environment import host_environment, now
from edgebench.workflow.meters import opened_meters
from edgebench.workflow.order import Desk, Order, order_of
from edgebench.workflow.outcome import Outcome, outcome_of, write_tables
from edgebench.workflow.reach import Reached, reach
from edgebench.workflow.report import write_page


def read_order(path: Path, *, devices: Sequence[str] = (), variants: Sequence[str] = ()) -> Order:
    """Read and understand a plan."""
    return order_of(
        read_plan(path), base=path.parent, name=path.stem, devices=devices, variants=variants
    )


def describe(
    path: Path, *, devices: Sequence[str] = (), variants: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Every cell that a run of this plan would measure; nothing is built or reached."""
    order = read_order(path, devices=devices, variants=variants)
    return [
        {
            "device": device.name,
            "variant": recipe.name,
            "format": target.value,
            "threads": str(threads),
            "accelerator": accelerator,
            "scenario": scenario,
            "steps": "; ".join(str(step) for step in recipe.steps) or "float",
        }
        for device in order.devices
        for recipe, formats in order.recipes
        for target in formats
        for threads, scenario in product(order.protocol.threads, order.protocol.scenario)
        for accelerator in accelerators_for(device.accelerators, target)
    ]


def run_plan(
    path: Path, desk: Desk, *, devices: Sequence[str] = (), variants: Sequence[str] = ()
) -> Outcome:
    """Compress, deploy, measure: a new run."""
    order = read_order(path, devices=devices, variants=variants)
    samples = load_samples(order)
    chosen = {recipe.name for recipe, _ in order.recipes}
    plan = replace(
        order.plan,
        device=order.devices,
        variant=tuple(v for v in order.plan.variant if v.name in chosen),
        target=tuple(t for t in order.plan.target if t.variant in {"*", *chosen}),
    )
    document = RunDocument(
        command="run",
        name=order.name,
        created=now(),
        base=str(order.base.resolve()),
        plan=asdict(plan),
        protocol=asdict(order.protocol),
        host=host_environment(),
        seed=order.protocol.seed,
    )
    with opened_meters(order) as meters:
        folder = create_run(desk.out, document)
        desk.progress(f"run: {folder}")
        return _go(order, samples, folder, document, desk, meters)


def resume_run(folder: Path, desk: Desk) -> Outcome:
    """Take up a run where it was cut off: what it holds is not measured again."""
    run = read_run(folder)
    if run.finished and not _may_pass(folder, run):
        desk.progress(f"{folder}: nothing is left to do")
        return outcome_of(folder)
    if run.command == "bench":
        return resume_bench(folder, run, desk)
    plan = plan_from(run.plan, source=f"the plan of {run.name!r}")
    order = order_of(plan, base=Path(run.base), name=run.name)
    with opened_meters(order) as meters:
        return _go(order, load_samples(order), folder, run, desk, meters)


def _may_pass(folder: Path, run: RunDocument) -> bool:
    """Whether a cell failed for something that may have passed since."""
    cells = read_all(folder, run).values()
    return any(PASSING.intersection(cell.measurement.reasons) for cell in cells)


def compress_plan(
    path: Path, desk: Desk, *, variants: Sequence[str] = ()
) -> tuple[list[Built], dict[str, tuple[Reason, str]]]:
    """The variants alone, written to `desk.out`; and of the rest, why they could not be made."""
    order = read_order(path, variants=variants)
    workshop = open_workshop(order, load_samples(order), desk)
    return build_all(workshop, (Compat(),), folder=desk.out)


def _go(
    order: Order,
    samples: Samples,
    folder: Path,
    run: RunDocument,
    desk: Desk,
    meters: Mapping[str, HostMeter | None],
) -> Outcome:
    reached, lost = reach(order, desk, meters)
    facts = {here.name: _facts(here.device) for here in reached if here.device}
    try:
        workshop = open_workshop(order, samples, desk)
        run = check_same(run, workshop)
        run = replace(run, devices={**run.devices, **facts}, lost=lost, finished=False)
        write_run(folder, run)
        compats = tuple(dict.fromkeys(here.compat(Format.TFLITE) for here in reached))
        built, not_built = build_all(
            workshop, compats, folder=folder, kept=kept_in(folder, workshop.model)
        )
        bills = [_bill(workshop, built, here) for here in reached]
        carry_out(folder, replace(run, not_built=not_built), bills, desk)
    finally:
        for here in reached:
            if here.device is not None:
                here.device.transport.close()
    outcome = outcome_of(folder)
    write_tables(outcome)
    write_page(outcome)
    return outcome


def _facts(device: Device) -> dict[str, JsonValue]:
    return {
        "address": device.transport.address,
        "profile": device.profile.name,
        "facts": dict(device.facts),
    }


def _bill(workshop: Workshop, built: Sequence[Built], here: Reached) -> Bill:
    """Every variant on one device: what it is fed, and what it is compared with."""
    order = workshop.order
    specs: list[CellSpec] = []
    answers: list[Task | Settled] = []
    for item in built:
        if item.compat != here.compat(item.target):
            continue
        runtime = here.runtimes[item.target]
        name = "none" if isinstance(runtime, DeviceError) else runtime
        protocol = order.protocol
        accelerators = accelerators_for(here.wanted.accelerators, item.target)
        for asked in product(protocol.threads, protocol.scenario, accelerators):
            threads, scenario, accelerator = asked
            job = Job(
                variant=item.variant.name,
                artifact=item.variant.artifact,
                device=here.name,
                runtime=name,
                threads=threads,
                accelerator=accelerator,
                scenario=scenario,
            )
            key = reference_key(job, order.reference_of(item.target))
            specs.append(spec_of(job, reference=key))
            if isinstance(runtime, DeviceError):
                answers.append(Settled(job=job, reason=Reason.NO_RUNTIME, error=runtime.in_full()))
            elif here.device is not None:
                answers.append(_task(workshop, item, job, compared_with=key))
    bill = bill_of(here.name, here.device, specs, answers)
    return replace(bill, settings=here.wanted.settings(), meter=here.meter)


def _task(
    workshop: Workshop, item: Built, job: Job, *, compared_with: str | None
) -> Task | Settled:
    order, samples = workshop.order, workshop.samples
    why = gate_reason(item.variant, order.plan.gate)
    if why is not None:
        return Settled(job=job, reason=Reason.GATE, error=why, status=Status.REFUSED)
    try:
        served = _serve(workshop, item.variant.artifact, name=item.variant.name)
        reference = _serve(workshop, item.reference, name="float")
    except JobFailed as error:
        return Settled(job=job, reason=Reason(error.reason), error=error.in_full())
    return Task(
        job=job,
        sample=served.sample,
        inputs=served.inputs,
        reference=reference.outputs,
        twin=served.outputs,
        labels=samples.dataset.test.y if samples.dataset else None,
        metric=samples.metric,
        is_quantized=bool(item.variant.recipe.steps),
        is_retrained=any(step.name != "quantize" for step in item.variant.recipe.steps),
        is_reference=job.variant == order.reference_of(item.target),
        compared_with=compared_with,
        inputs_made=served.made,
    )


def _serve(workshop: Workshop, artifact: Artifact, *, name: str) -> Served:
    dataset, desk, seed = workshop.samples.dataset, workshop.desk, workshop.order.protocol.seed
    model = workshop.order.plan.model
    feed = Feed(shapes=model.shapes, ranges=model.ranges, seed=seed)
    if dataset is not None:
        arrays = inputs_for(dataset.test.x, artifact.inputs)
        feed = Feed(arrays=arrays, seed=seed, origin=f"test set {dataset.digest[:12]}")

    def progress(words: str) -> None:
        desk.progress(f"{name} ({artifact.format}): {words}")

    return serve(artifact, feed, cache=desk.cache, progress=progress)
