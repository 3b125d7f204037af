"""What the host was when it ran: part of every run."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Final

from pydantic import JsonValue

import edgebench

PACKAGES: Final = (
    *("ai-edge-litert", "keras", "litert-quantizer", "numpy", "onnx", "onnxruntime", "paramiko"),
    *("tensorflow", "tf2onnx"),
)


def host_environment() -> dict[str, JsonValue]:
    """Versions of everything that has a say in the result; nothing that names the machine."""
    versions: dict[str, JsonValue] = {"edgebench": edgebench.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "packages": versions,
    }


def now() -> str:
    """The time as every document writes it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
