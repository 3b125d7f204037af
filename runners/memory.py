"""This process's memory, as the kernel counts it. Runs before all imports."""

import os

# The rollup came with Linux 4.14; JetPack 4 runs 4.9, where the long list says the same, slower.
SOURCES = ("/proc/self/smaps_rollup", "/proc/self/smaps")

# Inferences between the checkpoints s3 and s4; enough for a leak in each to show in whole pages.
STEADY_INVOKES = 100


def _sums(text):
    """Sum of each field over all mappings, in bytes."""
    sums = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            sums[words[0][:-1]] = sums.get(words[0][:-1], 0) + int(words[1]) * 1024
    return sums


def _mappings():
    readable = [source for source in SOURCES if os.access(source, os.R_OK)]
    if not readable:
        return {}
    with open(readable[0]) as stream:
        return _sums(stream.read())


def checkpoint(was_reset):
    """Memory now; the peak is None unless the high-water mark was reset before.

    None where the kernel tells nothing (no Linux).
    """
    sums = _mappings()
    if "Pss" not in sums:
        return None
    with open("/proc/self/status") as stream:
        status = _sums(stream.read())
    anonymous = sums["Anonymous"]
    return {
        "rss_bytes": sums["Rss"],
        "pss_bytes": sums["Pss"],
        "anonymous_bytes": anonymous,
        "file_bytes": max(sums["Pss"] - anonymous, 0),
        "private_bytes": sums["Private_Clean"] + sums["Private_Dirty"],
        "swap_bytes": status.get("VmSwap", sums.get("Swap", 0)),
        "peak_bytes": status.get("VmHWM") if was_reset else None,
    }


def reset_peak():
    """Set the high-water mark to the present size; False where the kernel does not let us."""
    try:
        with open("/proc/self/clear_refs", "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def invoke_steadily(invoke, limit_s, clock):
    """What lies between s3 and s4; a slow model stops at the limit."""
    stop = clock() + limit_s
    for _ in range(STEADY_INVOKES):
        invoke()
        if clock() > stop:
            return
