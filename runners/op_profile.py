"""How long each operation of a model takes: a pass of its own, for whoever looks slows down.

A profile is `source` (whose clock), `inferences`, `rows` (one a node, in the order they ran) and
`unknown`: why there are no rows, in words.
"""

import json
import os
import time

from failure import Failed

WARMUP_INVOKES = 5
# A node's line is some 700 bytes, and a session keeps a million of them at most.
INVOKES = 20
KERNEL = "_kernel_time"
CHILD_TIMEOUT_S = 120.0


def none(words):
    """No profile, and why."""
    return {"source": None, "inferences": 0, "rows": [], "unknown": words}


def invoke_all(invoke, limit_s):
    """Warm up and run; how many inferences are to be looked at."""
    for _ in range(WARMUP_INVOKES):
        invoke()
    count = affordable(invoke, limit_s)
    for _ in range(count):
        invoke()
    return count


def affordable(invoke, limit_s):
    """How many inferences fit into the limit, by the time of one: at least one."""
    begin = time.perf_counter()
    invoke()
    spent_s = max(time.perf_counter() - begin, 1e-9)
    return max(1, min(INVOKES, int(limit_s / spent_s)))


def of_events(events, inferences):
    """The profile in what onnxruntime wrote: the last so many inferences, node by node.

    Of a node that holds nodes of its own (a loop, a branch) only the whole is counted.
    """
    runs = sorted(event["ts"] for event in events if event.get("name") == "model_run")
    if len(runs) < inferences:
        words = "The runtime wrote %d inferences of %d." % (len(runs), inferences)
        raise Failed(words, reason="runtime_error")
    begin = runs[-inferences]
    found, end = {}, 0
    nodes = [event for event in events if event.get("cat") == "Node" and event["ts"] >= begin]
    for event in sorted(nodes, key=lambda event: (event["ts"], -event["dur"])):
        if not event["name"].endswith(KERNEL) or event["ts"] < end:
            continue
        end = event["ts"] + event["dur"]
        told = event["args"]
        # A name may stand twice in a graph, its index may not.
        node = (event["name"][: -len(KERNEL)], told.get("node_index"))
        row = found.setdefault(node, [told.get("op_name", ""), told.get("provider"), 0, 0])
        row[2] += event["dur"]
        row[3] += 1
    total = sum(row[2] for row in found.values())
    rows = [
        {
            "name": name,
            "op_type": op_type,
            "share": spent_us / total if total else 0.0,
            "ns_per_inference": spent_us * 1000.0 / inferences,
            "calls": calls,
            "provider": provider,
            "is_delegated": None if provider is None else provider != "CPUExecutionProvider",
        }
        for (name, _), (op_type, provider, spent_us, calls) in found.items()
    ]
    return {"source": "onnxruntime", "inferences": inferences, "rows": rows, "unknown": None}


def read_events(path):
    """Events that onnxruntime wrote; the file is gone after that."""
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except ValueError as error:
        words = "The runtime's profile is no JSON: %s" % error
        raise Failed(words, reason="runtime_error") from error
    finally:
        os.remove(path)


def in_a_child(argv, answer):
    """What a program wrote to `answer`; none, in its last words, where it crashed or hung."""
    import subprocess

    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return none("The profiler took longer than %.0f s." % CHILD_TIMEOUT_S)
    if done.returncode:
        tail = done.stderr[-300:].decode("utf-8", "replace").strip()
        return none("The profiler ended with code %d: %s" % (done.returncode, tail or "-"))
    try:
        with open(answer, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError) as error:
        return none("The profiler left no answer: %s" % error)
