"""What exactly ran: the version of the runtime, its wheel, and the library of a delegate."""

import hashlib
import os


def version_of(runtime, package):
    """The runtime's version, asked late: the search imports a lot."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return getattr(runtime, "__version__", None)


def builds_of(package, accelerator):
    """Hashes of the runtime's wheel, and of a delegate's library where one is loaded.

    The wheel's own list holds the hash of every file. Who installed it adds lines of his own, in
    the folder of metadata or without a hash: these tell nothing of what ran.
    """
    from importlib import metadata

    found = {}
    try:
        wheel = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        wheel = None
    if wheel is not None:
        tags = [x for x in (wheel.read_text("WHEEL") or "").splitlines() if x.startswith("Tag:")]
        listed = (wheel.read_text("RECORD") or "").splitlines()
        files = [x for x in listed if ",sha256=" in x and ".dist-info/" not in x]
        if files:
            text = "\n".join(sorted(tags) + sorted(files))
            found["runtime"] = hashlib.sha256(text.encode()).hexdigest()
    library = _mapped(accelerator.partition(":")[2])
    if library is not None:
        with open(library, "rb") as stream:
            found["delegate"] = hashlib.sha256(stream.read()).hexdigest()
    return found


def _mapped(library):
    """The file that this process has mapped for a library, whose name may be a link to another."""
    if not library:
        return None
    name = os.path.basename(os.path.realpath(library))
    with open("/proc/self/maps", encoding="utf-8") as stream:
        paths = {line.split(None, 5)[-1].strip() for line in stream if name in line}
    found = [path for path in sorted(paths) if os.path.basename(path).startswith(name)]
    return found[0] if found and os.path.isfile(found[0]) else None
