"""What every command needs: where to work, and how to speak to the user."""

import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgebench.untrusted import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgebench.core import Progress
    from edgebench.workflow import Desk


@contextlib.contextmanager
def watched_desk(out: Path, *, wait_for_lock_s: float = 0.0) -> "Iterator[Desk]":
    """The desk of a command that measures: on a terminal one sees where each device is."""
    from edgebench.cli.live import live_view

    with live_view() as watch:
        yield replace(desk_at(out, wait_for_lock_s=wait_for_lock_s), watch=watch)


def desk_at(out: Path, *, wait_for_lock_s: float = 0.0) -> "Desk":
    """Runs land in `out`; what can be used again lies in the user's cache."""
    from edgebench.workflow import Desk

    return Desk(
        out=out,
        cache=cache_folder(),
        progress=progress_lines(),
        password=asker(),
        wait_for_lock_s=wait_for_lock_s,
    )


def cache_folder() -> Path:
    """`EDGEBENCH_CACHE`, else the place that the desktop's standard names."""
    if named := os.environ.get("EDGEBENCH_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgebench"


def progress_lines() -> "Progress":
    """A line a step on stderr, with the seconds since the start."""
    started = time.monotonic()

    def show(text: str) -> None:
        line = f"[{time.monotonic() - started:5.0f} s] {plain(text)}"
        # A worker's thread has no context of click's, which would know of the colours.
        click.secho(line, dim=True, err=True, color=colour())

    return show


def colour() -> bool | None:
    """False where $NO_COLOR wants none (https://no-color.org); else as the stream can."""
    return False if os.environ.get("NO_COLOR") else None


def device_names(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """The user's own devices, for a shell that completes a name."""
    from edgebench.device.inventory import read_inventory
    from edgebench.errors import ConfigError

    del ctx, option
    try:
        return [name for name in read_inventory() if name.startswith(incomplete)]
    except ConfigError:
        return []


def asker() -> "Callable[[str], str] | None":
    """Who asks for a password; nobody where nobody could answer."""
    return ask_password if sys.stdin.isatty() else None


def ask_password(prompt: str) -> str:
    """Ask for a password or a passphrase without showing it."""
    return str(click.prompt(prompt, prompt_suffix="", hide_input=True, err=True))
