"""How to start the Python that runs this once more."""

import os
import sys


def argv():
    """Its path; before that the loader, where it was sent to the board with one of its own."""
    try:
        with open("/proc/self/cmdline", "rb") as stream:
            words = [os.fsdecode(word) for word in stream.read().split(b"\0")]
        end = words.index("-s")
    except (OSError, ValueError):
        return [sys.executable]
    return words[:end] if words[end - 1] == sys.executable else [sys.executable]
