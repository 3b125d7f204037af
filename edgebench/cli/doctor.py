"""What would spoil a measurement on a device, as a person and a script read it."""

import json
import sys
from typing import TYPE_CHECKING

import click

from edgebench.cli.desk import asker, device_names
from edgebench.cli.plan import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.core import Device
    from edgebench.measure.doctor.trouble import Trouble

SERIOUS = 3


@click.command("doctor")
@click.argument("name", shell_complete=device_names)
@click.option("--profile", help="What kind of board it is; else its own facts say.")
@JSON
def doctor(name: str, profile: str | None, as_json: bool) -> None:
    """Say what would spoil a measurement on a device, and what mends it; nothing is changed."""
    from edgebench.device.connect import connect, meter_of
    from edgebench.measure.doctor.registry import examine

    is_metered = meter_of(name, profile=profile) is not None
    device = connect(name, profile=profile, password=asker())
    try:
        found = examine(device, is_metered=is_metered)
    finally:
        device.transport.close()
    code = SERIOUS if any(trouble.severity == "serious" for trouble in found.values()) else 0
    if as_json:
        click.echo(json.dumps(_document(device, found, code), indent=1))
    else:
        _show(device, found)
    sys.exit(code)


def _document(device: "Device", found: "Mapping[str, Trouble]", code: int) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "schema": "edgebench.doctor/1",
        "device": device.name,
        "profile": device.profile.name,
        "findings": [{"check": check, **asdict(trouble)} for check, trouble in found.items()],
        "traps": list(device.profile.traps),
        "exit_code": code,
    }


def _show(device: "Device", found: "Mapping[str, Trouble]") -> None:
    for check, trouble in found.items():
        click.secho(plain(f"{trouble.severity}: {check}: {trouble.found}"), bold=True)
        rows = {"why": trouble.why, "mend": trouble.mend or "nothing mends it"}
        rows |= {"edgebench": trouble.edgebench} if trouble.edgebench else {}
        for label, text in {**rows, "source": trouble.source}.items():
            click.echo(plain(f"  {label:9} {text}"))
    for trap in device.profile.traps:
        click.echo(f"{device.profile.name}: {trap}")
    count = sum(trouble.severity == "serious" for trouble in found.values())
    verdict = f"{count} would spoil a measurement" if count else "nothing would spoil a measurement"
    click.echo(plain(f"{device.name}: {len(found)} found, {verdict}"))


def plain(text: str) -> str:
    """A text of a device's without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
