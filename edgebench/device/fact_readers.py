"""What a board's answer means: pure functions from the text of a command to a fact.

None where the text does not say; never a guess.
"""

import json
import re
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

# What decides which kernels a runtime takes. Names are the kernel's, of ARM and of x86.
CPU_FEATURES: Final = frozenset(
    [
        "neon",
        "asimd",
        "asimddp",
        "asimdhp",
        "fphp",
        "i8mm",
        "bf16",
        "sve",
        "sve2",
        "sme",
        "sse4_1",
        "avx",
        "avx2",
        "fma",
        "f16c",
        "avx_vnni",
        "avx512f",
        "avx512vl",
        "avx512_vnni",
        "avx512_bf16",
        "amx_int8",
    ]
)


def text(answer: str) -> str | None:
    r"""The first line.

    >>> text("aarch64\n"), text("\n")
    ('aarch64', None)
    """
    lines = answer.replace("\0", "").strip().splitlines()
    return lines[0].strip() or None if lines else None


def integer(answer: str) -> int | None:
    r"""A whole number.

    >>> integer("4\n"), integer("four")
    (4, None)
    """
    word = answer.strip()
    return int(word) if re.fullmatch(r"-?\d+", word) else None


def seconds(answer: str) -> float | None:
    """Seconds since 1970; busybox's date prints no fraction but the letters that ask for it.

    >>> seconds("1763884800.250000000"), seconds("1763884800.%N"), seconds("")
    (1763884800.25, 1763884800.0, None)
    """
    found = re.match(r"(\d+(?:\.\d+)?)", answer.strip())
    return float(found[1]) if found else None


def yes(answer: str) -> bool | None:
    r"""Whether the answer is yes; None for anything but yes and no.

    >>> yes("yes\n"), yes("no\n"), yes("")
    (True, False, None)
    """
    return {"yes": True, "no": False}.get(answer.strip())


def libc(answer: str) -> str | None:
    r"""The C library and its version, of `getconf GNU_LIBC_VERSION` or of musl's `ldd`.

    >>> libc("glibc 2.36\n"), libc("musl libc (aarch64)\nVersion 1.2.4\n"), libc("")
    ('glibc 2.36', 'musl 1.2.4', None)
    """
    glibc = re.search(r"glibc (\d+\.\d+)", answer)
    if glibc:
        return f"glibc {glibc[1]}"
    musl = re.search(r"musl libc.*?Version (\d+[\d.]*)", answer, re.DOTALL)
    return f"musl {musl[1]}" if musl else None


def libstdcxx(answer: str) -> str | None:
    r"""Highest GLIBCXX symbol version, which the name of the library's file tells.

    `libstdc++.so.6.0.N` brings GLIBCXX_3.4.N:
    https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html

    >>> libstdcxx("/usr/lib/aarch64-linux-gnu/libstdc++.so.6.0.30\n")
    '3.4.30'
    """
    found = [int(n) for n in re.findall(r"libstdc\+\+\.so\.6\.0\.(\d+)", answer)]
    return f"3.4.{max(found)}" if found else None


def pythons(answer: str) -> list[JsonValue]:
    """One JSON document a line, one line an interpreter; other lines are noise."""
    found: list[JsonValue] = []
    for line in answer.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and document not in found:
            found.append(document)
    return found


def free_bytes(answer: str) -> int | None:
    r"""Available space of `df -Pk`.

    >>> free_bytes("Filesystem 1024-blocks Used Available Capacity Mounted on\n/x 9 5 4 5% /\n")
    4096
    """
    row = re.search(r"^\S.*?\s(\d+)\s+(\d+)\s+(-?\d+)\s+\S+\s+/", answer, re.MULTILINE)
    return max(0, int(row[3])) * 1024 if row else None


def is_noexec(answer: str) -> bool | None:
    r"""Whether programs may not be run from the file system that `df -P` shows, by /proc/mounts.

    >>> df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/x 9 5 4 5% /data\n"
    >>> is_noexec(df + "--\n/x /data ext4 rw,nosuid,noexec 0 0\n")
    True
    """
    table, _, mounts = answer.partition("--\n")
    row = re.search(r"%\s+(/.*)$", table, re.MULTILINE)
    if row is None:
        return None
    # The kernel writes a space in a path as \040. The last mount on a path is the one that counts.
    place = row[1].strip().replace(" ", "\\040")
    options = [line.split()[3] for line in mounts.splitlines() if line.split()[1:2] == [place]]
    return "noexec" in options[-1].split(",") if options else None


def memory_bytes(answer: str) -> int | None:
    r"""A line of /proc/meminfo.

    >>> memory_bytes("MemTotal:        3884296 kB\n")
    3977519104
    """
    row = re.search(r":\s+(\d+) kB", answer)
    return int(row[1]) * 1024 if row else None


def cpu_features(answer: str) -> list[JsonValue] | None:
    r"""Features that decide about kernels, of a `Features` or `flags` line.

    >>> cpu_features("Features : fp asimd crc32 asimddp\n")
    ['asimd', 'asimddp']
    """
    _, separator, words = answer.partition(":")
    return [*sorted(CPU_FEATURES & set(words.split()))] if separator else None


def cpus(answer: str) -> list[JsonValue] | None:
    r"""Each kind of core once: ARM's implementer and part, or x86's name.

    >>> cpus("CPU implementer\t: 0x41\nCPU part\t: 0xd08\nCPU implementer\t: 0x41\n")
    ['CPU implementer 0x41', 'CPU part 0xd08']
    """
    rows = [" ".join(line.replace(":", " ").split()) for line in answer.splitlines()]
    kinds: list[JsonValue] = [*dict.fromkeys(row for row in rows if row)]
    return kinds or None


def temperatures(answer: str) -> dict[str, JsonValue] | None:
    r"""Zones in °C; a zone that is off or cannot be read is left out.

    >>> temperatures("cpu-thermal 48312\ngpu-thermal -256000\n")
    {'cpu-thermal': 48.312}
    """
    zones = re.findall(r"^(\S+) (-?\d+)$", answer, re.MULTILINE)
    found: Mapping[str, float] = {name: int(milli) / 1000 for name, milli in zones}
    return {name: c for name, c in found.items() if c > -50} or None


def lines(answer: str) -> list[JsonValue] | None:
    r"""All lines that say something; None where none does.

    >>> lines("Google\n\nPixel 6\n"), lines("\n")
    (['Google', 'Pixel 6'], None)
    """
    found: list[JsonValue] = [line.strip() for line in answer.splitlines() if line.strip()]
    return found or None


def words(answer: str) -> list[JsonValue]:
    r"""All words.

    >>> words("tar gzip\n")
    ['tar', 'gzip']
    """
    return [*answer.split()]
