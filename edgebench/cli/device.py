"""Commands on the user's own devices."""

import json
from typing import TYPE_CHECKING

import click

from edgebench.cli.desk import asker, device_names
from edgebench.cli.doctor import doctor, plain
from edgebench.cli.plan import JSON, METER, WAIT

if TYPE_CHECKING:
    from edgebench.device.inventory import Entry


@click.group()
def device() -> None:
    """The boards that you have, and what they say of themselves."""


A_DEVICE = click.argument("name", shell_complete=device_names)


@device.command("list")
@JSON
def list_devices(as_json: bool) -> None:
    """Show the inventory."""
    from dataclasses import asdict

    from edgebench.device.inventory import read_inventory

    entries = [asdict(entry) for entry in read_inventory().values()]
    if as_json:
        click.echo(json.dumps({"devices": entries}, indent=1))
        return
    for entry in entries:
        click.echo(f"{entry['name']}\t{entry['address']}\t{entry['profile'] or '-'}")
    if not entries:
        click.echo("No devices yet: `edgebench device add pi5 ssh://pi@host`.", err=True)


@device.command("add")
@click.argument("name")
@click.argument("address")
@click.option("--profile", help="What kind of board it is; else its own facts say.")
@click.option("--password-env", help="The environment variable that holds its password.")
@METER
def add(name: str, address: str, **options: str | None) -> None:
    """Keep a device under NAME; ADDRESS is local://, ssh://user@host:port, adb://SERIAL or replay://FILE."""
    from edgebench.device.inventory import Entry, add_entry
    from edgebench.device.profile import load_profile
    from edgebench.device.transport import open_transport
    from edgebench.measure.meters.host_registry import host_meter

    open_transport(address).close()
    if (profile := options["profile"]) is not None:
        load_profile(profile)
    if (meter := options["meter"]) is not None:
        host_meter(meter)
    entry = Entry(name=name, address=address, **options)
    add_entry(entry)
    if profile is None:
        _propose(entry)


def _propose(entry: "Entry") -> None:
    """Keep the profile that the device's own facts propose, and say which and why."""
    from dataclasses import replace

    from edgebench.device.connect import connect
    from edgebench.device.inventory import add_entry
    from edgebench.device.profile import propose
    from edgebench.errors import DeviceError

    try:
        found = connect(entry.name, password=asker())
    except DeviceError as error:
        click.echo(
            plain(f"{entry.name} is kept, and gets its profile when it answers: {error}"), err=True
        )
        return
    found.transport.close()
    kind, proposal = found.profile, propose(found.facts)
    why = proposal.why if proposal.profile == kind else f"that is what {entry.address} leads to"
    add_entry(replace(entry, profile=kind.name))
    click.echo(plain(f"{entry.name} is a {kind.name}, for {why}"), err=True)
    click.echo(
        f"  {kind.description} Another one by --profile; device_profiles/README.md", err=True
    )


@device.command("remove")
@A_DEVICE
@click.option("--purge", is_flag=True, help="Take away first what edgebench has put there.")
def remove(name: str, purge: bool) -> None:
    """Forget a device; nothing on it is touched, unless --purge says so."""
    from edgebench.device.inventory import remove_entry

    if purge:
        _purge(name)
    # An address is in no inventory.
    if "://" not in name or not purge:
        remove_entry(name)


def _purge(name: str) -> None:
    from edgebench.cli.desk import progress_lines
    from edgebench.device.connect import connect
    from edgebench.device.purge import purge
    from edgebench.units import show_size

    found = connect(name, password=asker())
    try:
        freed_bytes = purge(found, progress_lines())
    finally:
        found.transport.close()
    click.echo(f"{name}: {show_size(freed_bytes)} taken away from {found.work_folder}")


@device.command("provision")
@A_DEVICE
@click.option("--runtime", help="This one, in the place of those that its formats would take.")
@click.option("--profile", help="What kind of board it is; else its own facts say.")
@JSON
def provision(name: str, runtime: str | None, profile: str | None, as_json: bool) -> None:
    """Show by which ways a device (name or address) runs models, and make it ready for one."""
    from edgebench.cli.desk import cache_folder, progress_lines
    from edgebench.cli.show import show_ways
    from edgebench.device.connect import connect
    from edgebench.device.survey import provisioned

    found = connect(name, profile=profile, password=asker())
    try:
        cache, progress = cache_folder(), progress_lines()
        there = provisioned(found, runtime=runtime, cache=cache, progress=progress)
    finally:
        found.transport.close()
    show_ways(there, as_json=as_json)


@device.command("probe")
@A_DEVICE
@click.option("--profile", help="What kind of board it is; else its own facts say.")
@click.option(
    "--record", type=click.Path(dir_okay=False), help="Keep it for replay://FILE, scrubbed."
)
@JSON
def probe(name: str, profile: str | None, record: str | None, as_json: bool) -> None:
    """Print what a device (a name, or an address) says of itself."""
    from edgebench.workflow.probe import probe as ask

    facts = ask(name, profile=profile, password=asker(), record=record)
    if record is not None:
        click.echo(
            f"{record}: read it before you send it; edgebench probes replay://{record}", err=True
        )
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    for key, value in facts.items():
        click.echo(plain(f"{key:24} {'-' if value is None else value}"))


device.add_command(doctor)


@device.command("calibrate")
@A_DEVICE
@click.option("--blocks", default=20, show_default=True, type=click.IntRange(6), help="Launches.")
@WAIT
@JSON
def calibrate(name: str, blocks: int, wait_for_lock_s: float, as_json: bool) -> None:
    """Find the smallest difference that a device (a name, or an address) can show."""
    from pathlib import Path

    from edgebench.cli.desk import desk_at
    from edgebench.workflow.calibrate import calibrate as find_floor

    desk = desk_at(Path(), wait_for_lock_s=wait_for_lock_s)
    found = find_floor(name, desk, blocks=blocks)
    if as_json:
        click.echo(json.dumps(found.document(), indent=1))
        return
    floor = found.floor
    click.echo(f"{floor.name}: a model differs from itself by up to {floor.floor_ratio:.2%}")
    click.echo(f"  {floor.launches} launches of {floor.runtime}; kept in {found.kept}")
    for verdict, count in found.verdicts.items():
        click.echo(f"  {verdict.replace('_', ' ')}: {count} of {sum(found.verdicts.values())}")
