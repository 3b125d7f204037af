"""The command that measures finished files."""

from pathlib import Path

import click

from edgebench.cli.desk import device_names, watched_desk
from edgebench.cli.plan import A_PATH, JSON, METER, OUT, WAIT


def named_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """`image=1,3,224,224`; the last `=` divides, for the name of an input may hold one.

    >>> named_shape("image:0=1,3,224,224")
    ('image:0', (1, 3, 224, 224))
    """
    name, _, sizes = text.rpartition("=")
    shape = tuple(int(size) for size in sizes.split(",") if size.strip().isdigit())
    if not name or len(shape) != len(sizes.split(",")) or 0 in shape:
        msg = f"{text!r} is not like image=1,3,224,224"
        raise click.BadParameter(msg)
    return name, shape


def named_range(text: str) -> tuple[str, tuple[float, float]]:
    """`ids=0,30521`: the lowest and the highest value.

    >>> named_range("ids=0,30521")
    ('ids', (0.0, 30521.0))
    """
    name, _, bounds = text.rpartition("=")
    try:
        low, high = (float(bound) for bound in bounds.split(","))
    except ValueError:
        low, high = 1.0, 0.0
    if not name or not low <= high:
        msg = f"{text!r} is not like ids=0,30521"
        raise click.BadParameter(msg)
    return name, (low, high)


@click.command()
@click.argument("models", type=A_PATH, nargs=-1, required=True)
@click.option(
    "--device",
    default="local://",
    show_default=True,
    help="A name, or an address.",
    shell_complete=device_names,
)
@click.option(
    "--runtime", help="litert, tflite-runtime, onnxruntime, litert-native, onnxruntime-native."
)
@click.option("--threads", type=click.IntRange(min=1), multiple=True, default=(1,))
@click.option(
    "--accelerator",
    default="cpu",
    show_default=True,
    help="xnnpack, cuda, ..., or delegate:/path/on/the/device/lib.so; the CPU is measured too.",
)
@click.option(
    "--scenario",
    multiple=True,
    default=("single",),
    help="single, offline, multi:N or periodic:HZ; each is a row.",
)
@click.option("--profile", is_flag=True, help="The time of each operation too, for --json.")
@click.option("--inputs", type=A_PATH, help="A .npz with an array an input.")
@click.option(
    *("--shape", "shapes"),
    type=named_shape,
    multiple=True,
    metavar="NAME=1,3,224,224",
    help="Sizes of free axes.",
)
@click.option(
    *("--range", "ranges"),
    type=named_range,
    multiple=True,
    metavar="NAME=LOW,HIGH",
    help="Values that are generated.",
)
@click.option("--preset", default="quick", show_default=True, help="quick, standard or strict.")
@METER
@WAIT
@OUT
@JSON
def bench(
    models: tuple[Path, ...],
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    ranges: tuple[tuple[str, tuple[float, float]], ...],
    out: Path,
    wait_for_lock_s: float,
    as_json: bool,
    **options: object,
) -> None:
    """Measure MODELS (.tflite, .onnx) as they are; the first is the reference."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow import BenchRequest, bench_files

    named = {"shapes": dict(shapes), "ranges": dict(ranges)}
    request = BenchRequest(models=models, **named, **options)  # type: ignore[arg-type]  # click checked them
    with watched_desk(out, wait_for_lock_s=wait_for_lock_s) as desk:
        outcome = bench_files(request, desk)
    show_outcome(outcome, as_json=as_json)
