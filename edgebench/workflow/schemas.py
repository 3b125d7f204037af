"""JSON schemas of the documents, for editors and pipelines: made of the types that read them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from edgebench.core import DeviceProfile, Measurement, MeasureProtocol
from edgebench.plan import Plan
from edgebench.results.store import RunDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def plan_schema() -> Schema:
    """Of a plan.toml: below `[protocol]`, each value that a preset has may be set alone."""
    schema, protocol = _of(Plan), _of(MeasureProtocol)
    values = protocol.pop("properties")
    # A scenario alone is a list of one, as `resolve_protocol` has it.
    several = values["scenario"]
    values["scenario"] = {"anyOf": [several, {"type": "string"}]}
    schema["properties"]["protocol"] = {
        "type": "object",
        "description": protocol["description"],
        "properties": {name: _without_default(value) for name, value in values.items()},
        "additionalProperties": False,
    }
    return schema


def profile_schema() -> Schema:
    """Of a device_profiles/NAME.toml: its name is the file's."""
    schema = _of(DeviceProfile)
    del schema["properties"]["name"]
    schema["required"] = [name for name in schema["required"] if name != "name"]
    return schema


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "plan": plan_schema,
    "profile": profile_schema,
    "measurement": lambda: _of(Measurement),
    "run": lambda: _of(RunDocument),
}


def schema_of(kind: str) -> Schema:
    """The schema of a kind of document, of the names in `SCHEMAS`."""
    return {"$schema": DIALECT, **SCHEMAS[kind]()}


def _of(noun: type) -> Schema:
    return TypeAdapter(noun).json_schema()


def _without_default(value: Schema) -> Schema:
    """Where a preset says what it is, none of ours is the default."""
    return {key: part for key, part in value.items() if key != "default"}
