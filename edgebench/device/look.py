"""Which of many small files a device has, and what they hold: one round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgebench.core import Transport
from edgebench.untrusted import readable

TIMEOUT_S: Final = 30.0
CHARACTERS_MAX: Final = 4096

# tools -- globs   Names and contents, each ended by a zero byte. A file that is there and cannot be
# read has a mark in the place of its content: who may not read a meter must be told so.
_SCRIPT: Final = """
while [ "$1" != -- ]; do
  command -v "$1" > /dev/null 2>&1 && printf 'tool\\0%s\\0' "$1"
  shift
done
shift
for pattern in "$@"; do
  for file in $pattern; do
    [ -e "$file" ] || continue
    if [ -r "$file" ]; then
      printf 'file\\0%s\\0' "$file"
      head -c 4096 "$file" 2> /dev/null | tr '\\000' '\\n'
      printf '\\0'
    else
      printf 'closed\\0%s\\0' "$file"
    fi
  done
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What was found.

    Attributes:
        files: By path, the beginning of what is in it.
        closed: Files that are there and that the login user may not read.
        tools: Programs that are in PATH.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()


def look(transport: Transport, *, globs: Sequence[str], tools: Sequence[str]) -> Listing:
    """Ask a device for files by patterns of the shell, and for programs.

    Raises:
        DeviceLost: It does not answer.
    """
    argv = ("sh", "-c", _SCRIPT, "edgebench-look", *tools, "--", *globs)
    done = transport.run(argv, timeout_s=TIMEOUT_S)
    return read_listing(readable(done.stdout.decode(errors="replace")))


def read_listing(answer: str) -> Listing:
    r"""Read what the script printed.

    >>> read_listing("tool\0vcgencmd\0file\0/a\0x\n\0closed\0/b\0")
    Listing(files={'/a': 'x\n'}, closed=frozenset({'/b'}), tools=frozenset({'vcgencmd'}))
    """
    words = iter(answer.split("\0"))
    files: dict[str, str] = {}
    closed: set[str] = set()
    tools: set[str] = set()
    for kind in words:
        name = next(words, "")
        if kind == "tool":
            tools.add(name)
        elif kind == "closed":
            closed.add(name)
        elif kind == "file":
            files[name] = next(words, "")[:CHARACTERS_MAX]
    return Listing(files=files, closed=frozenset(closed), tools=frozenset(tools))


def write_listing(listing: Listing) -> str:
    """A listing as the script prints it."""
    words = [f"tool\0{name}" for name in sorted(listing.tools)]
    words += [f"file\0{path}\0{text}" for path, text in sorted(listing.files.items())]
    words += [f"closed\0{path}" for path in sorted(listing.closed)]
    return "".join(f"{word}\0" for word in words)
