"""How the kernel treated this process: where it may run, how long it ran and had to wait."""

import os
import resource


def keep_to(cpus):
    """Stay on these cores, or say why that is not possible; the cores that it became."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    return sorted(os.sched_getaffinity(0))


def snapshot():
    """Counters since the process began, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    run_ns, wait_ns = _ran_and_waited()
    return {
        "run_ns": run_ns,
        "wait_ns": wait_ns,
        "involuntary_switches": used.ru_nivcsw,
        "voluntary_switches": used.ru_nvcsw,
        "major_faults": used.ru_majflt,
    }


def difference(before, after):
    """What was counted in between; None where the kernel does not count it."""
    return {
        name: None if before[name] is None or after[name] is None else after[name] - before[name]
        for name in after
    }


def _ran_and_waited():
    """Nanoseconds on a core, and ready for one that others had, over all threads."""
    run_ns = wait_ns = 0
    try:
        for thread in os.listdir("/proc/self/task"):
            with open("/proc/self/task/%s/schedstat" % thread) as stream:
                ran, waited = stream.read().split()[:2]
            run_ns += int(ran)
            wait_ns += int(waited)
    except (OSError, ValueError):
        # A kernel without CONFIG_SCHED_INFO, or a thread that ended just now.
        return None, None
    return run_ns, wait_ns
