"""The command that measures finished files."""

from pathlib import Path

import click

from edgebench.cli.desk import desk_at
from edgebench.cli.plan import A_PATH, JSON, OUT


class NamedShape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """`NAME=1,3,224,224`."""

    name = "NAME=SHAPE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """The name and the shape; the last `=` divides them, for names may hold one."""
        name, _, text = str(value).rpartition("=")
        sizes = [size.strip() for size in text.split(",") if size.strip()]
        if not name or not all(size.isdigit() and int(size) for size in sizes):
            self.fail(f"{value!r} is not like image=1,3,224,224", param, ctx)
        return name, tuple(int(size) for size in sizes)


class NamedRange(click.ParamType[tuple[str, tuple[float, float]]]):
    """`NAME=LOW,HIGH`."""

    name = "NAME=LOW,HIGH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[float, float]]:
        """The name, and the lowest and highest value."""
        name, _, text = str(value).rpartition("=")
        try:
            low, high = (float(bound) for bound in text.split(","))
        except ValueError:
            low, high = 1.0, 0.0
        if not name or low > high:
            self.fail(f"{value!r} is not like ids=0,30521", param, ctx)
        return name, (low, high)


@click.command()
@click.argument("models", type=A_PATH, nargs=-1, required=True)
@click.option("--device", default="local://", show_default=True, help="A name, or an address.")
@click.option("--runtime", help="litert, tflite-runtime or onnxruntime.")
@click.option("--threads", type=click.IntRange(min=1), multiple=True, default=(1,))
@click.option("--accelerator", default="cpu", show_default=True)
@click.option("--inputs", type=A_PATH, help="A .npz with an array an input.")
@click.option("--shape", "shapes", type=NamedShape(), multiple=True, help="Sizes of free axes.")
@click.option("--range", "ranges", type=NamedRange(), multiple=True, help="Values of an input.")
@click.option("--preset", default="quick", show_default=True, help="quick, standard or strict.")
@OUT
@JSON
def bench(
    models: tuple[Path, ...],
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    ranges: tuple[tuple[str, tuple[float, float]], ...],
    out: Path,
    as_json: bool,
    **options: object,
) -> None:
    """Measure MODELS (.tflite, .onnx) as they are; the first is the reference."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow import BenchRequest, bench_files

    named = {"shapes": dict(shapes), "ranges": dict(ranges)}
    request = BenchRequest(models=models, **named, **options)  # type: ignore[arg-type]  # click checked them
    show_outcome(bench_files(request, desk_at(out)), as_json=as_json)
