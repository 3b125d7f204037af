"""Every meter that a device may have."""

import pytest

from edgebench.measure.meters.meter import Absent
from edgebench.measure.meters.registry import METERS
from tests.measure.meters.captures import listing


@pytest.mark.parametrize("name", METERS)
def test_a_device_with_nothing_is_told_so_in_a_sentence(name):
    found = METERS[name].find(listing())
    assert isinstance(found, Absent)
    assert found.message.endswith(".")


@pytest.mark.parametrize("name", METERS)
def test_a_meter_says_what_it_must_be_shown(name):
    kind = METERS[name]
    assert kind.globs or kind.tools
