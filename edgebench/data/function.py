"""A user's own function, named in a plan as `"data.py:load"`."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebench.errors import ConfigError


def load_function(source: str, *, base: Path) -> tuple[Callable[..., Any], str]:
    """The function `file.py:name`, and the sha256 of its file."""
    stem, _, name = source.rpartition(":")
    path = base / stem
    if not stem.endswith(".py") or not path.is_file():
        msg = f"There is no {source!r}: {str(path)!r} is no Python file."
        raise ConfigError(msg, hint="A source is 'zoo:fashion-mnist', 'x.npz' or 'data.py:load'.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018 - both follow from `.py`
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # a data.py may import what lies beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    function = getattr(module, name, None)
    if not callable(function):
        msg = f"{str(path)!r} has no function {name!r}."
        raise ConfigError(msg, hint="Name the function after the colon, as in 'data.py:load'.")
    return function, hashlib.sha256(path.read_bytes()).hexdigest()
