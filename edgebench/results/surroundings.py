"""In what two runs differ beside their cells: what is to be known before their numbers are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import JsonValue

from edgebench.device.facts import FACTS, fingerprint
from edgebench.results.cells import Cell
from edgebench.results.store import RunDocument

# Of a digest as many digits as tell two files apart for a person.
DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same in both runs.

    Attributes:
        device: None for what is of the whole run.
        what: `litert`, or `sw: kernel` for a fact of that part of the fingerprint.
        base: None where it is not known, likewise `new`.
    """

    device: str | None
    what: str
    base: str | None
    new: str | None

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        where = f"{self.device}: " if self.device else ""
        return f"{where}{self.what}: {self.base or 'unknown'} -> {self.new or 'unknown'}"


def differences_of(
    base: RunDocument,
    new: RunDocument,
    pairs: Sequence[tuple[Cell, Cell]],
) -> tuple[Difference, ...]:
    """What differs, the devices first.

    Args:
        pairs: The cells that both runs have.
    """
    found = [
        *(d for name in base.devices if name in new.devices for d in _facts(name, base, new)),
        *_runtimes(pairs),
        *_of_runs(base, new),
    ]
    return tuple(dict.fromkeys(found))


def _facts(device: str, base: RunDocument, new: RunDocument) -> Iterator[Difference]:
    """Facts of those parts of the fingerprint that are not one."""
    old, now = (_facts_of(run.devices[device]) for run in (base, new))
    prints = fingerprint(old), fingerprint(now)
    for name, fact in FACTS.items():
        is_other = fact.part is not None and prints[0][fact.part] != prints[1][fact.part]
        if is_other and old.get(name) != now.get(name):
            told = (_text(facts.get(name)) for facts in (old, now))
            yield Difference(
                device=device, what=f"{fact.part}: {name}", base=next(told), new=next(told)
            )


def _facts_of(told: Mapping[str, Any]) -> Mapping[str, JsonValue]:
    facts = told.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _runtimes(pairs: Sequence[tuple[Cell, Cell]]) -> Iterator[Difference]:
    for base, new in pairs:
        old, now = base.measurement, new.measurement
        if old is None or now is None or None in {old.runtime_version, now.runtime_version}:
            continue
        device, name = new.spec.device, now.runtime
        if old.runtime_version != now.runtime_version:
            yield Difference(
                device=device, what=name, base=old.runtime_version, new=now.runtime_version
            )
            continue
        for part, what in (
            ("runtime", f"wheel of {name}"),
            ("delegate", "library of the delegate"),
        ):
            builds = old.fingerprint.get(part), now.fingerprint.get(part)
            if None not in builds and builds[0] != builds[1]:
                yield Difference(
                    device=device, what=what, base=_short(builds[0]), new=_short(builds[1])
                )


def _of_runs(base: RunDocument, new: RunDocument) -> Iterator[Difference]:
    told = {
        "model": (_short(base.model_sha256), _short(new.model_sha256)),
        "labelled data": (_short(base.data_sha256), _short(new.data_sha256)),
        "preset": (_text(base.protocol.get("preset")), _text(new.protocol.get("preset"))),
        "edgebench": (_version(base), _version(new)),
    }
    for what, (old, now) in told.items():
        if old != now:
            yield Difference(device=None, what=what, base=old, new=now)


def _version(run: RunDocument) -> str | None:
    packages = run.host.get("packages")
    return _text(packages.get("edgebench")) if isinstance(packages, Mapping) else None


def _short(digest: str | None) -> str | None:
    return digest and digest[:DIGITS]


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)
