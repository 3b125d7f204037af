"""A plan is read whole or refused with the file, the key and what would be right."""

import json
import math
import subprocess
import sys
from dataclasses import asdict, fields
from importlib.util import find_spec

import pytest

from edgebench.errors import ConfigError
from edgebench.plan import Plan, Target, plan_from, read_plan, read_targets, shipped_plan
from edgebench.plan.checks import LOSSES
from tests.conftest import miss

LEAST = {"schema": 1, "model": {"source": "m.onnx"}, "variant": [{"name": "float"}]}
NO_BOUND = ("device", "variant", "scenario", "accuracy_drop_points")


@pytest.mark.parametrize("name", ["demo", "plan"])
def test_every_plan_that_ships_loads(name):
    assert isinstance(read_plan(shipped_plan(name)), Plan)


def test_the_least_plan_measures_on_this_machine():
    plan = plan_from(LEAST, source="p.toml")
    assert [(d.name, d.address) for d in plan.device] == [("local", "local://")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modle": {}}, ["unknown key `modle`", "Nearest: `model`"]),
        ({"schema": 2}, ["`schema` is 2"]),
        ({"model": {}}, ["`model.source` is missing"]),
        ({"variant": []}, ["no [[variant]]"]),
        ({"device": []}, ["no [[device]]"]),
        ({"variant": [{"name": "a", "formts": []}]}, ["`variant[0].formts`", "`formats`"]),
        ({"variant": [{"name": "a", "formats": ["keras"]}]}, ["formats[0]", "'keras'", "'onnx'"]),
        ({"variant": [{"name": "a", "steps": [3]}]}, ["`variant[0].steps[0]` is 3"]),
        ({"variant": [{"name": "a b"}]}, ["'a b'", "Letters"]),
        ({"variant": [{"name": "a"}, {"name": "a"}]}, ["two variants are called 'a'"]),
        ({"device": [{"name": "a"}, {"name": "a"}]}, ["two devices are called 'a'"]),
        ({"device": [{"name": "a", "runtime": "x"}]}, ["runtime", "'x'", "'litert'"]),
        ({"device": [{"name": "a", "password": "x"}]}, ["unknown key `device[0].password`"]),
        ({"protocol": {"tread": 3}}, ["`protocol.tread`", "`threads`"]),
        ({"target": [{"device": "z", "size_mb": 1.0}]}, ["`target[0].device` is 'z'"]),
        ({"target": [{"variant": "z", "size_mb": 1.0}]}, ["`target[0].variant` is 'z'"]),
        ({"target": [{}]}, ["`target[0]` sets no limit"]),
        ({"target": [{"latency_p90": 1.0}]}, ["`target[0].latency_p90`", "`latency_p90_ms`"]),
        ({"gate": {"acc": 1}}, ["`gate.acc`", "accuracy_drop_points"]),
        ({"data": {"source": "a", "metrik": "b"}}, ["`data.metrik`", "`metric`"]),
        ({"variant": [{"name": "a", "formats": []}]}, ["`variant[0].formats`", "names no format"]),
        ({"variant": [{"name": "a", "formats": ["onnx", "onnx"]}]}, ["['onnx', 'onnx']", "twice"]),
        (
            {"variant": [{"name": "a.b"}, {"name": "a_b"}]},
            ["variants 'a.b' and 'a_b'", "both 'a_b'"],
        ),
        ({"device": [{"name": "a.b"}, {"name": "a_b"}]}, ["devices 'a.b' and 'a_b'", "both 'a_b'"]),
        ({"gate": {"send": ["float", "z"]}}, ["`gate.send[1]` is 'z'", "It has: float"]),
        ({"gate": {"send": "float"}}, ["`gate.send` is 'float'"]),
        ({"lint": {"silense": []}}, ["unknown key `lint.silense`", "`silence`"]),
        ({"lint": {"silence": [3]}}, ["`lint.silence[0]` is 3"]),
        (
            {"model": {"source": "m.keras", "objects": "layers"}},
            ["`model.objects` is 'layers'", "layers.py"],
        ),
        (
            {"model": {"source": "m.keras", "loss": "binary_crossentrpy"}},
            ["`model.loss` is 'binary_crossentrpy'", "Did you mean 'binary_crossentropy'?"],
        ),
        (
            {"model": {"source": "m.keras", "loss": "losses.py"}},
            ["`model.loss` is 'losses.py'", "'losses.py:my_loss'"],
        ),
        (
            {"model": {"source": "m.keras", "loss": "losses.py:my loss"}},
            ["`model.loss` is 'losses.py:my loss'", "'losses.py:my_loss'"],
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_wrong_plan_names_the_file_and_the_key(change, words):
    with pytest.raises(ConfigError) as caught:
        plan_from({**LEAST, **change}, source="p.toml")
    text = f"{caught.value} {caught.value.hint or ''}"
    assert text.startswith("p.toml: ")
    assert [word for word in words if word not in text] == []


def test_a_plan_that_is_no_toml_says_where(tmp_path):
    (tmp_path / "p.toml").write_text("schema = \n")
    with pytest.raises(ConfigError, match=r"p\.toml: not valid TOML.*line 1"):
        read_plan(tmp_path / "p.toml")


def test_a_plan_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_plan(tmp_path / "p.toml")
    assert "edgebench init" in (caught.value.hint or "")


def test_limits_that_are_not_set_are_no_limits():
    plan = plan_from({**LEAST, "target": [{"size_mb": 4}]}, source="p.toml")
    assert plan.target[0].limits() == {"size_mb": 4.0}


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    "name",
    [field.name for field in fields(Target) if field.name not in NO_BOUND],
)
def test_a_limit_that_nothing_can_meet_or_miss_is_refused(name, limit):
    change = {"target": [{"size_mb": 1.0}, {name: limit}]}
    with pytest.raises(ConfigError) as caught:
        plan_from({**LEAST, **change}, source="p.toml")
    said = f"p.toml: `target[1].{name}` is {float(limit)}; it must be a finite number above 0."
    assert str(caught.value) == said


@pytest.mark.parametrize("limit", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["gate", "target"])
def test_a_loss_of_accuracy_is_a_finite_number(where, limit):
    table = {"accuracy_drop_points": limit}
    change = {"gate": table} if where == "gate" else {"target": [table]}
    with pytest.raises(ConfigError, match=r"accuracy_drop_points` is .*a finite number\."):
        plan_from({**LEAST, **change}, source="p.toml")


@pytest.mark.parametrize("limit", [-1.0, 0, 2.5])
def test_a_variant_may_be_asked_to_lose_nothing_or_to_gain(limit):
    table = {"accuracy_drop_points": limit}
    plan = plan_from({**LEAST, "gate": table, "target": [table]}, source="p.toml")
    assert plan.gate.accuracy_drop_points == plan.target[0].accuracy_drop_points == limit


@pytest.mark.parametrize("loss", ["mse", "sparse_categorical_crossentropy", "in/l.py:my_loss"])
def test_a_model_may_bring_its_layers_and_its_loss(loss):
    model = {"source": "m.keras", "objects": "layers.py", "loss": loss}
    plan = plan_from({**LEAST, "model": model}, source="p.toml")
    assert (plan.model.objects, plan.model.loss) == ("layers.py", loss)


@pytest.mark.converter
def test_the_losses_are_those_that_keras_takes():
    if find_spec("keras") is None:
        miss("the extra `keras` is not installed")
    code = "import sys, keras; [keras.losses.get(name) for name in sys.argv[1:]]"
    subprocess.run([sys.executable, "-c", code, *LOSSES], check=True, capture_output=True)


def test_what_may_pass_the_gate_and_what_need_not_be_said_are_named():
    tables = {"gate": {"send": ["float"]}, "lint": {"silence": ["int4-slow"]}}
    plan = plan_from({**LEAST, **tables}, source="p.toml")
    assert plan.gate.send == ("float",)
    assert plan.lint.silence == ("int4-slow",)


def test_a_plan_that_was_kept_with_a_run_is_read_again():
    tables = {"gate": {"send": ["float"]}, "lint": {"silence": ["int4-slow"]}}
    plan = plan_from({**LEAST, **tables}, source="p.toml")
    assert plan_from(json.loads(json.dumps(asdict(plan))), source="p.toml") == plan


@pytest.mark.parametrize("kind", ["variant", "device"])
def test_names_that_differ_in_a_file_name_are_two(kind):
    names = ["a.b", "a-b", "ab"]
    plan = plan_from({**LEAST, kind: [{"name": name} for name in names]}, source="p.toml")
    assert [value.name for value in getattr(plan, kind)] == names


NAMES = {"device": ["pi5"], "variant": ["float", "int8"], "scenario": ["single"]}
TARGET = '[[target]]\ndevice = "pi5"\nsize_mb = 4.0\n'
WHOLE = 'schema = 1\n[model]\nsource = "m.onnx"\n[[variant]]\nname = "int8"\n'


@pytest.mark.parametrize(
    "text",
    [
        TARGET,
        f"schema = 1\n{TARGET}",
        WHOLE + '[[device]]\nname = "pi5"\n' + TARGET,
    ],
    ids=["alone", "with a schema", "in a whole plan"],
)
def test_targets_are_read_from_a_file_of_their_own(tmp_path, text):
    path = tmp_path / "t.toml"
    path.write_text(text)
    assert read_targets(path, NAMES) == (Target(device="pi5", size_mb=4.0),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["`target` is missing"]),
        ("target = []", ["no [[target]]"]),
        ("[[target]]\n", ["`target[0]` sets no limit"]),
        ("[[target]]\nsize_m = 4.0\n", ["unknown key `target[0].size_m`", "`size_mb`"]),
        ("[[targets]]\nsize_mb = 4.0\n", ["unknown key `targets`", "`target`"]),
        ("[[target]]\nsize_mb = -1.0\n", ["`target[0].size_mb` is -1.0"]),
        ("[[target]]\nsize_mb = nan\n", ["`target[0].size_mb` is nan"]),
        (TARGET.replace("pi5", "pi6"), ["`target[0].device` is 'pi6'"]),
        ('[[target]]\nscenario = "offline"\nsize_mb = 1.0\n', ["`target[0].scenario`"]),
        (WHOLE, ["no [[target]]"]),
        ("[[target]", ["not valid TOML"]),
    ],
)
def test_a_wrong_file_of_targets_names_the_file_and_the_key(tmp_path, text, words):
    path = tmp_path / "t.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_targets(path, NAMES)
    assert [word for word in ["t.toml", *words] if word not in str(caught.value)] == []


def test_a_file_of_targets_that_is_not_there_says_what_it_holds(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_targets(tmp_path / "none.toml", NAMES)
    assert "[[target]]" in str(caught.value.hint)
