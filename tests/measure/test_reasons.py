"""Whoever reads a reason is told what to do about it."""

import pytest

from edgebench.core import Reason
from edgebench.measure.reasons import REMEDIES

ACTIONS = {
    *("Add", "Attach", "Bring", "Check", "Choose", "Cool", "Free", "Give", "Install", "Leave"),
    *("Let", "Look", "Make", "Measure", "Quieten", "Raise", "Read", "Replace", "Run", "Set"),
    *("Stop", "Take", "Unplug", "Use"),
}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_one_sentence_that_begins_with_what_to_do(reason):
    remedy = REMEDIES[reason]
    assert remedy.split()[0] in ACTIONS
    assert remedy.endswith(".")
    assert ". " not in remedy
    assert len(remedy) <= 80


def test_no_remedy_is_for_a_reason_that_is_none():
    assert set(REMEDIES) == set(Reason)
