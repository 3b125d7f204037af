r"""What a device sends is material and never believed: words, documents and arrays, within bounds.

Words are shown and not obeyed: a terminal would take `\x1b]0;...` for an order. Documents and
arrays raise ValueError with the reason where they are none, or would take more than is theirs.
"""

import json
import math
import re
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import JsonValue

DOCUMENT_BYTES_MAX: Final = 16 << 20
ARRAYS_BYTES_MAX: Final = 1 << 30
ARRAYS_MAX: Final = 4096
INTEGER_MAX: Final = 2**63 - 1  # of an int64
INTEGER_DIGITS_MAX: Final = 18  # of what surely fits into one

# Controls but for tab and line feed, line separators, marks that turn the direction of writing,
# and halves of characters.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


# What reading an array's header, which is a piece of Python, raises where it is something else.
_OF_A_HEADER: Final = (
    *(MemoryError, OverflowError, RecursionError, SyntaxError, TypeError),
    *(NotImplementedError, tokenize.TokenError),
)


def plain(text: str) -> str:
    r"""Words as they may be shown: what a terminal would obey is written out.

    >>> plain("up\x1b[2J\ttwo\nlines"), plain("\u202egpj.exe")
    ('up\\x1b[2J\ttwo\nlines', '\\u202egpj.exe')
    """
    return _UNPRINTABLE.sub(lambda found: _written_out(ord(found[0])), text)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def readable(text: str) -> str:
    """Text that readers of numbers take: plain ASCII, and no number beyond an int64.

    >>> readable("load 12"), readable("²"), readable("9" * 5000)
    ('load 12', '?', '?')
    """
    ascii_only = text.encode("ascii", "replace").decode("ascii")
    return re.sub(rf"\d{{{INTEGER_DIGITS_MAX + 1},}}", "?", ascii_only)


def plain_json(value: "JsonValue") -> "JsonValue":
    r"""A value whose words are plain, and whose numbers are some; None in the place of others.

    >>> plain_json({"a\x07": ["\x1b", float("nan"), 10**30, 1.5]})
    {'a\\x07': ['\\x1b', None, None, 1.5]}
    """
    match value:
        case str():
            return re.sub(r"\d{100,}", "?", plain(value))
        case list():
            return [plain_json(item) for item in value]
        case dict():
            return {plain(key): plain_json(item) for key, item in value.items()}
        case float() if not math.isfinite(value):
            return None
        case int() if abs(value) > INTEGER_MAX:
            return None
    return value


def read_document(content: bytes) -> "JsonValue":
    r"""A JSON document with plain words; ValueError says what is wrong with another.

    >>> read_document(b'{"status": "ok\\u001b"}')
    {'status': 'ok\\x1b'}
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        msg = f"it has {len(content)} bytes, and {DOCUMENT_BYTES_MAX} are the most"
        raise ValueError(msg)
    try:
        document: JsonValue = json.loads(
            content,
            object_pairs_hook=_object,
            parse_constant=_refused,
            parse_int=_integer,
            parse_float=_real,
        )
        return plain_json(document)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None


def _object(pairs: "list[tuple[str, JsonValue]]") -> "dict[str, JsonValue]":
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands there twice"
        raise ValueError(msg)
    return found


def _refused(word: str) -> "JsonValue":
    msg = f"{word} is no number of JSON"
    raise ValueError(msg)


def _integer(digits: str) -> int:
    # Only few digits are made a number, which takes the longer the more they are.
    if len(digits) > len(str(-INTEGER_MAX)) or abs(int(digits)) > INTEGER_MAX:
        msg = f"a number of {len(digits)} digits stands there"
        raise ValueError(msg)
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        msg = "a number beyond all bounds stands there"
        raise ValueError(msg)
    return number


def read_arrays(path: Path) -> "dict[str, NDArray[np.generic]]":
    """The arrays of a `.npz`; ValueError says why it is none, or one that is too large.

    numpy takes the memory that an array's header asks for before it has seen its data, so headers
    are compared with what is there first.
    """
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive)
        with np.load(path, allow_pickle=False) as arrays:
            return {plain(name): arrays[name] for name in arrays}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError) as error:
        raise ValueError(str(error) or "it is cut short") from error
    except _OF_A_HEADER as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _check(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    size_bytes = sum(member.file_size for member in members)
    if len(members) > ARRAYS_MAX or size_bytes > ARRAYS_BYTES_MAX:
        msg = f"it holds {len(members)} arrays of {size_bytes} bytes"
        raise ValueError(msg)
    for member in members:
        with archive.open(member) as stream:
            needed_bytes = _needed_bytes(stream)
        if needed_bytes > member.file_size:
            msg = f"{member.filename!r} says that it has {needed_bytes} bytes, and does not"
            raise ValueError(msg)


def _needed_bytes(stream: IO[bytes]) -> int:
    """What an array takes, by its header."""
    from numpy.lib import format as npy

    if npy.read_magic(stream) == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream)
    else:
        shape, _, dtype = npy.read_array_header_2_0(stream)
    if dtype.hasobject or dtype.fields or min(shape, default=0) < 0:
        msg = "an array is there of something else than numbers"
        raise ValueError(msg)
    return math.prod(shape) * int(dtype.itemsize)
