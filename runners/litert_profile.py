"""Profile a TFLite file: `python -s litert_profile.py MODEL THREADS INVOKES ANSWER.json FEED...`.

Each FEED is a file with the bytes of an input, in the order of the model's.

The wheel's `libLiteRt.so` has a profiler, and the Python API has none. Its C functions are called
here through ctypes, and nobody promises that they stay as they are: this is a process of its own,
so that a crash of it ends nothing else, and it is started for versions alone that were tried.
"""

import ctypes
import json
import os
import re
import sys

TRIED = ("2.3.0",)
CPU = 1
WRITE = 1
WARMUP_INVOKES = 5
RANK_MAX = 8

# [node type] [start] [first] [avg ms] [%] [cdf%] [mem KB] [times called] [Name]
LINE = re.compile(
    r"^\s*(?P<type>\S.*?)\s+(?:[\d.]+\s+){3}(?P<share>[\d.]+)%\s+[\d.]+%\s+[\d.]+\s+"
    r"(?P<calls>\d+)\s+\[(?P<who>\w+)\]:(?P<node>\d+)\s*$"
)
TOTAL = re.compile(r"^Timings \(microseconds\): .*curr=(\d+)", re.MULTILINE)


def parse(summary, inferences):
    """The profile in the words of the library: the table of what ran, in its order."""
    total = TOTAL.search(summary)
    ran = summary.split("Top by Computation Time")[0]
    found = [match for match in map(LINE.match, ran.splitlines()) if match]
    if not total or not found:
        raise ValueError("the summary has no table: %r" % summary[:200])
    shares = [float(match.group("share")) for match in found]
    whole = sum(shares) or 1.0
    rows = []
    for match, share in zip(found, shares):
        is_delegated = match.group("who") == "Delegate"
        kind = match.group("type")
        if is_delegated and kind.startswith("Delegate/"):
            kind = kind[len("Delegate/") :]
        rows.append(
            {
                "name": "%s:%s" % (match.group("who").lower(), match.group("node")),
                "op_type": kind,
                "share": share / whole,
                "ns_per_inference": share / whole * float(total.group(1)) * 1000 / inferences,
                "calls": int(match.group("calls")),
                "provider": "xnnpack" if is_delegated else "builtin",
                "is_delegated": is_delegated,
            }
        )
    return {"source": "litert", "inferences": inferences, "rows": rows, "unknown": None}


class Layout(ctypes.Structure):
    """LiteRtLayout: two bit fields, and the sizes of the axes."""

    _fields_ = [
        ("rank", ctypes.c_uint, 7),
        ("has_strides", ctypes.c_uint, 1),
        ("dimensions", ctypes.c_int32 * RANK_MAX),
        ("strides", ctypes.c_uint32 * RANK_MAX),
    ]


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType."""

    _fields_ = [("element_type", ctypes.c_int), ("layout", Layout)]


class Library:
    """`libLiteRt.so`: each function gives a status, of which 0 is well."""

    def __init__(self, path):
        self._functions = ctypes.CDLL(path)
        self._kept = []

    def call(self, name, *arguments):
        """Call a function; raises where it gives another status."""
        function = getattr(self._functions, "LiteRt" + name)
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            raise RuntimeError("LiteRt%s gave status %d" % (name, status))

    def made(self, name, *arguments, kind=ctypes.c_void_p):
        """What a function writes to its last argument."""
        result = kind()
        self.call(name, *arguments, ctypes.byref(result))
        return result

    def add_options(self, options, name, text):
        """Options of a part of the library, which reads them as TOML."""
        payload = ctypes.create_string_buffer(text.encode())
        forget = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        # Both must outlive the model, whose library does not copy them.
        self._kept += [payload, forget]
        given = ctypes.cast(payload, ctypes.c_void_p)
        opaque = self.made("CreateOpaqueOptions", name.encode(), given, forget)
        self.call("AddOpaqueOptions", options, opaque)


def buffers(library, environment, compiled, subgraph, kind):
    """Buffers for all inputs or outputs; a free axis is 1."""
    size = ctypes.c_size_t
    count = library.made("GetNumSubgraph%ss" % kind, subgraph, kind=size).value
    made = (ctypes.c_void_p * count)()
    for index in range(count):
        tensor = library.made("GetSubgraph" + kind, subgraph, size(index))
        described = library.made("GetRankedTensorType", tensor, kind=TensorType)
        for axis in range(described.layout.rank):
            described.layout.dimensions[axis] = max(described.layout.dimensions[axis], 1)
        needs = library.made(
            "GetCompiledModel%sBufferRequirements" % kind, compiled, size(0), size(index)
        )
        buffer = library.made(
            "CreateManagedTensorBufferFromRequirements",
            environment,
            ctypes.byref(described),
            needs,
        )
        made[index] = buffer.value
    return count, made


def fill(library, made, feeds):
    """Give the inputs what they are fed: of ids that memory happens to hold most do not exist."""
    if len(feeds) != len(made):
        raise ValueError("%d inputs for a model of %d" % (len(feeds), len(made)))
    for address, path in zip(made, feeds):
        with open(path, "rb") as stream:
            content = stream.read()
        buffer = ctypes.c_void_p(address)
        size = library.made("GetTensorBufferSize", buffer, kind=ctypes.c_size_t).value
        if size < len(content):
            raise ValueError("%d bytes do not fit into an input of %d" % (len(content), size))
        memory = ctypes.c_void_p()
        library.call("LockTensorBuffer", buffer, ctypes.byref(memory), ctypes.c_int(WRITE))
        ctypes.memmove(memory, content, len(content))
        library.call("UnlockTensorBuffer", buffer)


def summarize(library, path, threads, inferences, feeds):
    """Run the model with the profiler on; what it says."""
    environment = library.made("CreateEnvironment", ctypes.c_int(0), None)
    model = library.made("CreateModelFromFile", environment, path.encode())
    options = library.made("CreateOptions")
    library.call("SetOptionsHardwareAccelerators", options, ctypes.c_int(CPU))
    library.add_options(options, "runtime_options_string", "enable_profiling = true\n")
    library.add_options(options, "xnnpack", "num_threads = %d\n" % threads)
    compiled = library.made("CreateCompiledModel", environment, model, options)
    subgraph = library.made("GetModelSubgraph", model, ctypes.c_size_t(0))
    fed, given = (
        buffers(library, environment, compiled, subgraph, kind) for kind in ("Input", "Output")
    )
    fill(library, fed[1], feeds)
    profiler = library.made("CompiledModelGetProfiler", compiled)
    first, size = ctypes.c_size_t(0), ctypes.c_size_t

    def run(count):
        for _ in range(count):
            library.call(
                "RunCompiledModel", compiled, first, size(fed[0]), fed[1], size(given[0]), given[1]
            )

    run(WARMUP_INVOKES)
    library.call("StartProfiler", profiler)
    run(inferences)
    library.call("StopProfiler", profiler)
    text = library.made("GetProfileSummary", profiler, compiled, kind=ctypes.c_char_p)
    return text.value.decode("utf-8", "replace")


def main(argv):
    path, threads, inferences, answer, *feeds = argv[1:]
    import ai_edge_litert

    library = Library(os.path.join(os.path.dirname(ai_edge_litert.__file__), "libLiteRt.so"))
    summary = summarize(library, path, int(threads), int(inferences), feeds)
    found = parse(summary, int(inferences))
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(found, stream)
        stream.flush()
        os.fsync(stream.fileno())
    # What the library does at its end is nobody's concern any more.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv)
