"""The command that editors and pipelines ask what a document looks like."""

import json

import click

KINDS = ("plan", "profile", "measurement", "run")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
def schema(kind: str) -> None:
    """Print the JSON schema of a plan.toml, a device profile, a measurement or a run.json."""
    from edgebench.workflow.schemas import schema_of

    click.echo(json.dumps(schema_of(kind), indent=1))
