"""Files that appear whole or not at all."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from edgebench.errors import NotDone


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends well, and not at all otherwise.

    Raises:
        NotDone: The system does not let it be written: no folder, no permission, no space.
    """
    try:
        with _renamed(path) as file:
            yield file
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {words(error)}."
        raise NotDone(
            msg, hint="Make room or mend the folder; what is finished is kept."
        ) from error


@contextlib.contextmanager
def _renamed(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made by the kernel with the rights of any other file, whatever the umask of the process is.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def words(error: OSError) -> str:
    """What the system says, without the name of a temporary file."""
    return error.strerror or str(error)


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write a document; a NaN is no JSON, and one that comes this far is a bug."""
    text = json.dumps(document, indent=1, default=str, allow_nan=False)
    with written(path) as file:
        file.write(text.encode() + b"\n")
