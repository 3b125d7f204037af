"""A board whose `sh`, which every command of ours comes by, answers what it likes.

What it says stands in a file, by the name of the script, or of the file, that a command names:
`{"edgebench-facts": {"stdout": BASE64}}`; `{"endless": true}` and `{"hang": true}` never end.
"""

import base64
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.sshd import Board, Sshd, started

LIAR = """#!/usr/bin/python3 -SE
import base64, json, os, sys, time
lies = json.load(open({lies!r}))
names = [os.path.basename(word) for word in sys.argv[1:] if len(word) < 300]
lie = next((lies[name] for name in names if name in lies), None)
if lie is None or len(sys.argv) < 4 or not sys.argv[3].startswith("edgebench-"):
    os.execv("/bin/sh", ["sh", *sys.argv[1:]])
token = sys.argv[3].encode()
for stream in (1, 2):
    os.write(stream, token + b" start 4711\\n")
while lie.get("hang"):
    time.sleep(1)
while lie.get("endless"):
    os.write(1, b"x" * 65536)
sys.stdout.buffer.write(base64.b64decode(lie.get("stdout", "")))
sys.stdout.buffer.flush()
for stream in (1, 2):
    os.write(stream, token + b" end %d\\n" % lie.get("code", 0))
"""

Lie = Callable[..., None]


def says(stdout: bytes, *, code: int = 0) -> dict[str, Any]:
    """That a command prints this, and ends with this code."""
    return {"stdout": base64.b64encode(stdout).decode(), "code": code}


@contextlib.contextmanager
def hostile_board() -> Iterator[tuple[Sshd, Lie]]:
    """The board, and what tells it its lies by the name of a script or file."""
    folder = Path(tempfile.mkdtemp(prefix="eb-hostile-"))
    folder.chmod(0o755)
    lies, programs = folder / "lies", folder / "bin"
    programs.mkdir()
    (programs / "sh").write_text(LIAR.format(lies=str(lies)))
    (programs / "sh").chmod(0o755)

    def lie(**told: Any) -> None:
        part = lies.with_suffix(".part")
        part.write_text(json.dumps({name.replace("__", "."): told[name] for name in told}))
        part.replace(lies)

    lie()
    try:
        with started(board=Board(mounts={}, path=programs)) as server:
            yield server, lie
    finally:
        shutil.rmtree(folder)
