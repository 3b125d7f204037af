"""The schemas take what edgebench reads and writes, and refuse what it refuses."""

import copy
import json
import re
import tomllib
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgebench.cli.schema import KINDS
from edgebench.measure.protocol import PRESETS
from edgebench.plan import shipped_plan
from edgebench.runner import shipped
from edgebench.workflow.schemas import SCHEMAS, schema_of
from tests.conftest import miss
from tests.workflow.runs import only_run

README = Path(__file__).parents[2] / "README.md"
PLANS = {
    "demo": shipped_plan("demo").read_text(),
    "init": shipped_plan("plan").read_text(),
    "README": re.findall(r"```toml\n(schema = 1.*?)```", README.read_text(), re.DOTALL)[0],
}


@pytest.fixture
def faults():
    """What is wrong with a document, by the schema that the command prints."""
    if find_spec("jsonschema") is None:
        miss("jsonschema is not installed")
    from jsonschema import Draft202012Validator

    def faults(kind, document):
        schema = json.loads(json.dumps(schema_of(kind)))
        Draft202012Validator.check_schema(schema)
        errors = Draft202012Validator(schema).iter_errors(json.loads(json.dumps(document)))
        return [error.message for error in errors]

    return faults


def test_each_kind_has_a_schema_and_the_command_knows_it():
    assert tuple(SCHEMAS) == KINDS


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_as_its_schema_says(faults, name):
    assert faults("plan", tomllib.loads(PLANS[name])) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_all_values_of_a_protocol_may_be_set(faults, preset):
    plan = tomllib.loads(PLANS["README"])
    assert faults("plan", {**plan, "protocol": asdict(PRESETS[preset])}) == []


@pytest.mark.parametrize("path", sorted(shipped("device_profiles").glob("*.toml")), ids=str)
def test_a_profile_that_ships_is_as_its_schema_says(faults, path):
    assert faults("profile", tomllib.loads(path.read_text())) == []


def test_the_files_of_a_run_are_as_their_schemas_say(faults, plan_with, edgebench, tmp_path):
    broken = '[[device]]\nname = "away"\naddress = "ssh://nobody@127.0.0.1:1"\n'
    here = '[[device]]\nname = "here"\naddress = "local://"\n'
    edgebench("run", plan_with('[[variant]]\nname = "float"\n' + here + broken), exit_code=3)
    run = only_run(tmp_path / "results")
    assert faults("run", json.loads((run / "run.json").read_text())) == []
    (path,) = (run / "measurements").glob("*.json")
    assert faults("measurement", json.loads(path.read_text())) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan.update(modle={}), "modle"),
        (lambda plan: plan["model"].pop("source"), "source"),
        (lambda plan: plan.update(protocol={"blocks": 5}), "blocks"),
        (lambda plan: plan.update(schema=2), "1 was expected"),
        (lambda plan: plan["variant"][0].update(formats=["keras"]), "keras"),
    ],
    ids=["an unknown table", "no source", "an unknown value", "another version", "no such format"],
)
def test_a_plan_that_is_wrong_is_refused(faults, change, said):
    plan = copy.deepcopy(tomllib.loads(PLANS["README"]))
    change(plan)
    (fault,) = faults("plan", plan)
    assert said in fault
