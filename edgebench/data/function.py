"""A user's own Python: a function named in a plan as `"data.py:load"`, or a file of objects."""

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from edgebench.errors import ConfigError

DATA_HINT: Final = "A source is 'zoo:fashion-mnist', 'x.npz' or 'data.py:load'."
OBJECTS_HINT: Final = "Name a Python file that registers your layers, such as 'layers.py'."


def load_function(
    source: str, *, base: Path, kind: str = "data source", hint: str = DATA_HINT
) -> tuple[Callable[..., Any], str]:
    """The function `file.py:name`, and the sha256 of its file.

    Args:
        source: As the plan names it.
        base: The folder that its path is relative to.
        kind: What the function is for, such as "loss": a word of the errors.
        hint: What can be named instead, where there is no such file.

    Raises:
        ConfigError: There is no such file, it is no Python, or has no function of that name.
    """
    stem, colon, name = source.rpartition(":")
    path = base / (stem if colon else source)
    module, digest = _load_module(source, path, kind=kind, hint=hint)
    function = getattr(module, name, None) if colon else None
    if not callable(function):
        own = [key for key, value in vars(module).items() if _is_own(value, module)]
        there = f"What it defines: {', '.join(own)}." if own else "It defines none."
        wrong = f"has no function {name!r}" if colon else "is a file, and not a function in it"
        msg = f"{str(path)!r} {wrong}."
        raise ConfigError(msg, hint=f"Name the function after a colon. {there}")
    return function, digest


def load_objects(source: str, *, base: Path) -> str:
    """Import a Python file that registers custom Keras objects as it is imported; its sha256.

    A file with the same content is imported once in a process.

    Raises:
        ConfigError: There is no such file, or it is no Python.
    """
    path = base / source
    return _load_module(source, path, kind="file of custom objects", hint=OBJECTS_HINT)[1]


def _load_module(source: str, path: Path, *, kind: str, hint: str) -> tuple[ModuleType, str]:
    """The module of a file, imported unless it has been, and the sha256 of what was executed.

    It stands in `sys.modules`, where dataclasses, pickle and Keras look for what a file defines,
    under a name of its own: `data.py` of two folders are two modules, and none hides a real one.
    The name depends on place and content alone, so that every process gives it the same.
    """
    if path.suffix != ".py" or not path.is_file():
        msg = f"There is no {kind} {source!r}: {str(path)!r} is no Python file."
        raise ConfigError(msg, hint=hint)
    content = path.read_bytes()
    key = hashlib.sha256(os.fsencode(path.resolve()) + b"\0" + content).hexdigest()
    name = f"edgebench_user_{key[:16]}"
    digest = hashlib.sha256(content).hexdigest()
    if name in sys.modules:
        return sys.modules[name], digest
    return _execute(content, path, name), digest


def _execute(content: bytes, path: Path, name: str) -> ModuleType:
    # Not by exec_module: its .pyc would answer for a file that changed within a second.
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    try:
        code = loader.source_to_code(content, str(path))
    except (SyntaxError, ValueError) as error:
        msg = f"{str(path)!r} is no Python: {error}."
        raise ConfigError(msg, hint="Mend the file; `python FILE` shows the place.") from error
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))  # a data.py may import what lies beside it
    try:
        exec(code, vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__
