"""A plan is read whole or refused with the file, the key and what would be right."""

import pytest

from edgebench.errors import ConfigError
from edgebench.plan import Plan, plan_from, read_plan, shipped_plan

LEAST = {"schema": 1, "model": {"source": "m.onnx"}, "variant": [{"name": "float"}]}


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
