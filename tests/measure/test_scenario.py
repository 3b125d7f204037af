"""The names of scenarios."""

import pytest

from edgebench.core import Scenario
from edgebench.errors import ConfigError
from edgebench.measure.scenario import read_scenario, scenario_name


@pytest.mark.parametrize(
    ("text", "scenario", "name"),
    [
        ("single", Scenario(), "single"),
        ("offline", Scenario(kind="offline", samples=8), "offline"),
        ("offline:8", Scenario(kind="offline", samples=8), "offline"),
        ("offline:32", Scenario(kind="offline", samples=32), "offline:32"),
        ("multi:8", Scenario(kind="multi", samples=8), "multi:8"),
        ("periodic:30", Scenario(kind="periodic", rate_hz=30.0), "periodic:30"),
        ("periodic:29.97", Scenario(kind="periodic", rate_hz=29.97), "periodic:29.97"),
    ],
)
def test_a_scenario_is_read_and_has_one_name(text, scenario, name):
    assert read_scenario(text) == scenario
    assert scenario_name(scenario) == name
    assert read_scenario(name) == scenario


@pytest.mark.parametrize(
    "text",
    [
        *("", "server", "single:1", "multi", "multi:1", "multi:2.5", "multi:-4", "multi:5000"),
        *("offline:0", "periodic", "periodic:0", "periodic:nan", "periodic:inf", "periodic:2000"),
    ],
)
def test_what_is_none_is_refused_with_those_there_are(text):
    with pytest.raises(ConfigError) as caught:
        read_scenario(text)
    assert repr(text) in str(caught.value)
    assert "periodic:30" in (caught.value.hint or "")


def test_a_cell_of_a_scenario_has_a_key_of_its_own(job):
    from dataclasses import replace

    keys = [replace(job, scenario=name).key for name in ("single", "multi:8", "periodic:29.97")]
    assert keys[0] == job.key
    assert keys[1] == f"{job.key}.multi-8"
    assert keys[2].startswith(f"{job.key}.periodic-29_97-")
