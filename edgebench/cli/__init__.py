"""The command line: the only place that knows click, exit codes and colours."""

from typing import Final

import click

import edgebench
from edgebench.cli import bench, device, gates, plan, report, results, schema
from edgebench.cli.desk import colour
from edgebench.errors import EdgebenchError

# As a shell has it for a program that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED: Final = 130


class Commands(click.Group):
    """Shows what the user can mend as a sentence and a hint; everything else is a bug."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, and end with the exit code of what went wrong."""
        ctx.color = colour()
        try:
            return super().invoke(ctx)
        except EdgebenchError as error:
            click.secho(f"error: {error}", fg="red", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; what was measured is kept", err=True)
            if ctx.invoked_subcommand in {"run", "bench", "demo"}:
                click.echo("hint: `edgebench run --resume RUN` goes on", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(edgebench.__version__)
def main() -> None:
    """Which compressed form of a model should ship on a device: measured there, never guessed."""


for command in (
    *(plan.demo, plan.init, plan.lint, plan.run, plan.compress),
    *(bench.bench, device.device, results.results),
    *(gates.validate, gates.compare, report.report, schema.schema),
):
    main.add_command(command)
