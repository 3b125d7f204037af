"""Programs that the tests start, and what is told where they cannot."""

import subprocess
import textwrap


class UnavailableError(Exception):
    """This machine lacks what a test needs, or does not let it be started."""


def run(*argv: str) -> None:
    """Run a program to its end.

    Raises:
        UnavailableError: It failed; in its own words.
    """
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{argv[0]}: {textwrap.shorten(done.stderr[-500:], 400)}")
