"""What is wrong with a document: the first fault that pydantic found, as a sentence."""

import difflib
import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError


def explain(error: ValidationError, root: type, *, source: str) -> str:
    """The first fault of a document as a sentence: file, key, value, and what is allowed."""
    unknown = {"unexpected_keyword_argument", "extra_forbidden"}
    # A key that is misspelt is also missing; the misspelling is what the user can see.
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unknown)
    # pydantic names the branch of a union as if it were a key.
    known = [p for p in fault["loc"] if not str(p).startswith(("str", "dict[", "float", "int"))]
    where = _key_path(known)
    if fault["type"] in unknown:
        return f"{source}: unknown key `{where}`. {_nearest(root, known)}"
    if fault["type"] in {"missing", "missing_argument"}:
        return f"{source}: the key `{where}` is missing."
    return f"{source}: `{where}` is {fault['input']!r}: {fault['msg']}."


def _key_path(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _nearest(root: type, path: Sequence[int | str]) -> str:
    here: Any = root
    for part in path[:-1]:
        here = _inner(here, part)
    names = [f.name for f in fields(here)] if is_dataclass(here) else []
    near = difflib.get_close_matches(str(path[-1]), names, n=1)
    return f"Nearest: `{near[0]}`." if near else f"Known keys: {', '.join(names)}."


def _inner(kind: Any, part: int | str) -> Any:  # noqa: ANN401 - a type of any shape
    """The type of one element or field, looking through tuples and `X | None`."""
    if isinstance(part, str) and is_dataclass(kind):
        kind = next((f.type for f in fields(kind) if f.name == part), None)
    while get_origin(kind) in {tuple, Union, types.UnionType}:
        kind = next((arg for arg in get_args(kind) if is_dataclass(arg)), None) or get_args(kind)[0]
    return kind
