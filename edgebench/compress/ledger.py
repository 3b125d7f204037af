"""The ledger: one entry for each stage that a variant came by."""

from typing import TYPE_CHECKING

from edgebench.compress.cache import Made
from edgebench.compress.judge import Judge, Judgement, judge
from edgebench.compress.route import Stage
from edgebench.compress.walk import Setting, seed_of
from edgebench.core import Artifact, LedgerEntry

if TYPE_CHECKING:
    from pydantic import JsonValue


def entry(
    stage: Stage,
    source: Artifact,
    made: Made,
    by: Judge | None,
    setting: Setting,
    *,
    earlier: float | None,
) -> LedgerEntry:
    """What one stage did, with the accuracy before and after it on the validation set.

    Args:
        earlier: What the stage before came to; None where there was none, or it has no accuracy.
    """

    def judged(artifact: Artifact) -> Judgement:
        return judge(artifact, by, cache=setting.cache, progress=setting.progress)

    own = made.accuracies
    before, after = (
        Judgement(value=said) if said is not None else judged(artifact)
        for said, artifact in (
            (earlier if own.before is None else own.before, source),
            (own.after, made.artifact),
        )
    )
    reasons: dict[str, JsonValue] = {
        f"{field}_reason": judgement.reason
        for field, judgement in (("accuracy_before", before), ("accuracy_after", after))
        if judgement.value is None
    }
    is_seeded = stage.way.traits(stage.step).is_seeded
    return LedgerEntry(
        step=str(stage.step or stage.way.name),
        changed=made.changed,
        accuracy_before=before.value,
        accuracy_untuned=own.untuned,
        accuracy_after=after.value,
        size_bytes=made.artifact.size_bytes,
        gzip_bytes=made.artifact.gzip_bytes,
        seconds=made.seconds,
        seed=seed_of(stage, setting) if is_seeded else None,
        settings={**made.settings, **reasons},
        versions=made.versions,
    )
