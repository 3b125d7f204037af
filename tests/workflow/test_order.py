"""What is plainly wrong in a plan is known before anything slow, and nothing is executed for it."""

import json
import math
from dataclasses import asdict

import pytest

from edgebench.compress.route import Stage
from edgebench.compress.technique import Outcome, Traits, Way
from edgebench.core import Format, Step
from edgebench.errors import ConfigError
from edgebench.measure.protocol import PRESETS
from edgebench.plan import plan_from
from edgebench.workflow.order import order_of
from edgebench.workflow.protocol import LOWEST, resolve_protocol
from edgebench.workflow.sources import check_files

FLOAT = [{"name": "float"}]
HERE = [{"name": "here", "address": "local://"}]
ZOO = {"source": "zoo:lenet"}
IMAGES = {"source": "zoo:fashion-mnist"}
SHARE = "def score(outputs, y):\n    return y\n"
FORMS = {"a": "float16", "b": "int8-weights"}
ERROR = SHARE + "score.kind = 'error'\n"


@pytest.fixture
def order(classifier, tmp_path, monkeypatch):
    """Understand a plan on the classifier, changed by tables."""
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(tmp_path / "devices.toml"))
    for name in ("model.onnx", "data.npz"):
        (tmp_path / name).write_bytes((classifier / name).read_bytes())

    def understand(*, chosen=(), **tables):
        whole = {
            "schema": 1,
            "model": {"source": "model.onnx"},
            "data": {"source": "data.npz"},
            "device": HERE,
            "variant": FLOAT,
            **tables,
        }
        document = {key: table for key, table in whole.items() if table is not None}
        plan = plan_from(document, source="p.toml")
        return order_of(plan, base=tmp_path, name="p", variants=chosen)

    return understand


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"model": {"source": "none.onnx"}}, ["There is no model", "none.onnx"]),
        ({"model": {"source": "none"}}, ["There is no model", "none"]),
        ({"model": {"source": "broken.onnx"}}, ["no whole ONNX model"]),
        ({"model": {"source": "data.npz"}}, ["no model that is known"]),
        ({"model": {"source": "zoo:nosuch"}}, ["no model 'nosuch'", "lenet"]),
        ({"model": ZOO, "data": None}, ["'zoo:lenet'", "no [data]"]),
        (
            {"model": {"source": "model.onnx", "shapes": {"y": [1]}}},
            ["`model.shapes`", "'y'", "Inputs: x"],
        ),
        (
            {"model": {"source": "model.onnx", "ranges": {"y": [0, 1]}}},
            ["`model.ranges`", "'y'", "Inputs: x"],
        ),
        ({"data": {"source": "none.npz"}}, ["There is no file", "none.npz"]),
        ({"data": {"source": "none.py:load"}}, ["There is no file", "none.py"]),
        ({"data": {"source": "data.csv"}}, ["'data.csv'", "data.py:load"]),
        ({"data": {"source": "raises.py"}}, ["'raises.py'", "data.py:load"]),
        ({"data": {"source": "zoo:nosuch"}}, ["'zoo:nosuch'", "zoo:fashion-mnist"]),
        ({"data": {"source": "data.npz", "metric": "top3"}}, ["'top3'", "top5"]),
        ({"data": {"source": "data.npz", "metric": "none.py:score"}}, ["none.py"]),
        ({"device": [{"name": "a", "address": "foo://"}]}, ["'foo://'", "ssh://"]),
        ({"device": [{"name": "a", "address": "ssh://"}]}, ["'ssh://'"]),
        ({"device": [{"name": "a", "address": "local://x"}]}, ["'local://x'"]),
        ({"device": [{"name": "a", "address": "replay://none.json"}]}, ["none.json"]),
        ({"device": [{"name": "a"}]}, ["no device 'a'"]),
        ({"device": [{"name": "listed"}]}, ["'gopher://there'"]),
        (
            {"variant": [{"name": "twice", "steps": ["quantize int8", "quantize float16"]}]},
            ["'twice'", "'quantize float16' cannot follow 'quantize int8'", "An order that works"],
        ),
        ({"lint": {"silence": ["slow"]}}, ["plan 'p'", "`lint.silence[0]` is 'slow'"]),
        ({"lint": {"silence": ["int4-slwo"]}}, ["Did you mean 'int4-slow'?", "s8s8-x86"]),
        (
            {"model": {"source": "model.onnx", "objects": "layers.py"}},
            ["`model.objects` is 'layers.py'", "onnx"],
        ),
        ({"model": {"source": "model.onnx", "loss": "mse"}}, ["`model.loss` is 'mse'", "onnx"]),
        (
            {"model": {**ZOO, "objects": "none.py"}, "data": IMAGES},
            ["`model.objects` names", "none.py", "not there"],
        ),
        (
            {"model": {**ZOO, "loss": "none.py:loss"}, "data": IMAGES},
            ["`model.loss` names", "none.py", "not there"],
        ),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(order, tmp_path, tables, words):
    (tmp_path / "broken.onnx").write_text("this is no model")
    (tmp_path / "devices.toml").write_text('[device.listed]\naddress = "gopher://there"\n')
    with pytest.raises(ConfigError) as caught:
        order(**tables)
    text = f"{caught.value} {caught.value.hint or ''}"
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"data": None},
        {"model": ZOO, "data": IMAGES},
        {"model": {"source": "model.onnx", "shapes": {"x": [1, 16]}, "ranges": {"x": [0, 1]}}},
        {"data": {"source": "raises.py:load"}},
        {"data": {"source": "data.npz", "metric": "raises.py:score"}},
        {"device": [{"name": "a", "address": "ssh://nobody@127.0.0.1:1"}]},
        {"lint": {"silence": ["int4-slow", "zeros-onnx"]}},
        {"model": {**ZOO, "loss": "mse", "objects": "raises.py"}, "data": IMAGES},
        {"model": {**ZOO, "loss": "raises.py:loss"}, "data": IMAGES},
    ],
    ids=str,
)
def test_what_can_work_is_understood_and_nothing_is_executed_or_reached(order, tmp_path, tables):
    (tmp_path / "raises.py").write_text("raise AssertionError\n")
    assert order(**tables).devices


@pytest.mark.parametrize(
    ("model", "formats"),
    [
        ("MODEL.ONNX", [Format.ONNX]),
        ("model.onnx", [Format.ONNX]),
        ("saved", [Format.TFLITE, Format.ONNX]),
        ("zoo:lenet", [Format.TFLITE, Format.ONNX]),
    ],
)
def test_a_model_says_what_it_can_become(order, tmp_path, model, formats):
    (tmp_path / "MODEL.ONNX").write_bytes((tmp_path / "model.onnx").read_bytes())
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"a graph")
    assert [list(found) for _, found in order(model={"source": model}).recipes] == [formats]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"seed": -1}, ["`protocol.seed` is -1", "at least 0"]),
        ({"timeout_s": 0}, ["`protocol.timeout_s` is 0", "above 0"]),
        ({"timeout_s": -1.0}, ["`protocol.timeout_s` is -1.0", "above 0"]),
        ({"warmup_min_s": -0.1}, ["`protocol.warmup_min_s` is -0.1", "at least 0"]),
        ({"warmup_max_s": -1}, ["`protocol.warmup_max_s` is -1", "`warmup_min_s`"]),
        ({"sample_min_s": -0.1}, ["`protocol.sample_min_s` is -0.1", "at least 0"]),
        ({"sample_max_s": -1}, ["`protocol.sample_max_s` is -1", "`sample_min_s`"]),
        ({"ci_ratio": 0}, ["`protocol.ci_ratio` is 0", "above 0"]),
        ({"margin_ratio": -0.5}, ["`protocol.margin_ratio` is -0.5", "above 0"]),
        ({"memory_processes": 0}, ["`protocol.memory_processes` is 0", "at least 1"]),
        ({"sample_min_invokes": 1}, ["`protocol.sample_min_invokes` is 1", "at least 2"]),
        ({"warmup_min_invokes": 0}, ["`protocol.warmup_min_invokes` is 0", "at least 1"]),
        ({"blocks_min": 1}, ["`protocol.blocks_min` is 1", "at least 2"]),
        ({"blocks_min": 9, "blocks_max": 8}, ["`protocol.blocks_max` is 8", "at least", "of 9"]),
        ({"warmup_min_s": 5, "warmup_max_s": 4}, ["`protocol.warmup_max_s` is 4", "of 5"]),
        ({"sample_min_s": 5, "sample_max_s": 4}, ["`protocol.sample_max_s` is 4", "of 5"]),
        ({"threads": []}, ["`protocol.threads` is []", "at least 1"]),
        ({"threads": [0]}, ["`protocol.threads` is [0]", "at least 1"]),
        ({"threads": [1, 4, 1]}, ["`protocol.threads` is [1, 4, 1]", "once"]),
        ({"threads": [True]}, ["`protocol.threads` is [True]", "number"]),
        ({"threads": ["4"]}, ["`protocol.threads` is ['4']", "number"]),
        ({"seed": True}, ["`protocol.seed` is True", "number"]),
        ({"ci_ratio": math.nan}, ["`protocol.ci_ratio` is nan", "finite"]),
        ({"timeout_s": math.inf}, ["`protocol.timeout_s` is inf", "finite"]),
        ({"sample_max_s": math.inf}, ["`protocol.sample_max_s` is inf", "finite"]),
        ({"profile": 1}, ["`protocol.profile` is 1", "true or false"]),
        ({"profile": "yes"}, ["`protocol.profile` is 'yes'", "true or false"]),
        ({"preset": "slow"}, ["`protocol.preset` is 'slow'", "quick"]),
    ],
    ids=str,
)
def test_a_protocol_that_measures_nothing_is_refused(table, words):
    with pytest.raises(ConfigError) as caught:
        resolve_protocol(table, source="p")
    text = f"{caught.value} {caught.value.hint or ''}"
    assert text.startswith("p: ")
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("key", LOWEST)
def test_the_bound_of_a_value_is_the_bound(key):
    bound, is_allowed = LOWEST[key]
    if is_allowed:
        assert getattr(resolve_protocol({key: bound}, source="p"), key) == bound
    else:
        with pytest.raises(ConfigError, match=f"`protocol.{key}` is {bound}"):
            resolve_protocol({key: bound}, source="p")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_stands_as_it_is(preset):
    assert resolve_protocol({"preset": preset}, source="p") == PRESETS[preset]


@pytest.mark.parametrize(("preset", "profile"), [("quick", True), ("strict", False)])
def test_a_profile_is_asked_for_or_left_out_by_the_plan(preset, profile):
    assert PRESETS[preset].profile is not profile
    table = {"preset": preset, "profile": profile}
    assert resolve_protocol(table, source="p").profile is profile


@pytest.mark.parametrize(
    ("named", "scenarios"),
    [
        ("multi:8", ("multi:8",)),
        (["single", "offline:8"], ("single", "offline")),
        (["periodic:30.0"], ("periodic:30",)),
    ],
    ids=["a word", "a list", "by its one name"],
)
def test_a_scenario_is_a_word_or_a_list(named, scenarios):
    assert resolve_protocol({"scenario": named}, source="p").scenario == scenarios


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ([], "there must be one"),
        (["multi:4", "multi:04"], "each stands once"),
        ("server", "'server'"),
        ("periodic:0.05", "1.0 queries in `sample_max_s`"),
    ],
    ids=["none", "twice", "unknown", "too seldom"],
)
def test_a_scenario_that_cannot_be_measured_is_refused(named, words):
    with pytest.raises(ConfigError) as caught:
        resolve_protocol({"scenario": named}, source="p")
    assert words in str(caught.value)


def test_a_target_names_a_scenario_that_is_measured(order):
    protocol = {"scenario": ["single", "multi:8"]}
    target = {"size_mb": 1.0, "scenario": "multi:8"}
    assert order(protocol=protocol, target=[target]).plan.target
    with pytest.raises(ConfigError, match=r"`target\[0\].scenario` is 'multi:8'"):
        order(target=[target])


LIMIT = {"accuracy_drop_points": 1.0}


@pytest.mark.parametrize(
    ("limits", "where"),
    [({"gate": LIMIT}, "gate"), ({"target": [{"size_mb": 1.0}, LIMIT]}, r"target\[1\]")],
    ids=["gate", "target"],
)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, r"no \[data\]"),
        ({"source": "data.npz", "metric": "mae"}, "'mae' is an error"),
        ({"source": "data.npz", "metric": "mine.py:score"}, "'mine.py:score' is an error"),
    ],
    ids=["no data", "mae", "own"],
)
def test_a_limit_on_an_accuracy_that_has_no_points_is_refused(
    order, tmp_path, limits, where, data, words
):
    (tmp_path / "mine.py").write_text(ERROR)
    with pytest.raises(ConfigError, match=f"`{where}.accuracy_drop_points`.*{words}"):
        order(data=data, **limits)


@pytest.mark.parametrize(
    ("metric", "limits"),
    [
        ("top1", {"gate": LIMIT, "target": [LIMIT]}),
        ("mine.py:score", {"gate": LIMIT, "target": [LIMIT]}),
        ("mae", {"target": [{"size_mb": 1.0}]}),
    ],
)
def test_a_share_may_be_limited_and_an_error_may_go_without(order, tmp_path, metric, limits):
    (tmp_path / "mine.py").write_text(SHARE)
    assert order(data={"source": "data.npz", "metric": metric}, **limits).plan.data


@pytest.mark.parametrize(("asked", "sent"), [([], ("a", "b")), (["a"], ("a",))], ids=str)
def test_what_is_not_to_be_made_is_not_sent_past_the_gate(order, asked, sent):
    variants = [{"name": name, "steps": [f"quantize {form}"]} for name, form in FORMS.items()]
    tables = {"variant": [*FLOAT, *variants], "gate": {**LIMIT, "send": ["a", "b"]}}
    assert order(chosen=asked, **tables).plan.gate.send == sent


def reads(*files):
    """A stage of a step that reads files of the user's."""
    way = Way(
        name="reads",
        source=Format.ONNX,
        target=Format.ONNX,
        function=lambda task, progress: Outcome(path=task.folder, changed={}),
        tools=(),
        traits=lambda _: Traits(files=files),
    )
    return Stage(way=way, step=Step(name="step", value="steps.py:mine"))


def test_a_file_that_a_step_names_must_be_there(tmp_path):
    (tmp_path / "steps.py").write_text("")
    (tmp_path / "teacher").mkdir()
    check_files([reads(), reads("steps.py", "teacher")], base=tmp_path, variant="mine")
    with pytest.raises(ConfigError) as caught:
        check_files([reads("steps.py"), reads("none.py")], base=tmp_path, variant="mine")
    assert str(caught.value).startswith("'mine': 'step steps.py:mine' names '")
    assert str(tmp_path / "none.py") in str(caught.value)
    assert "relative to the plan" in str(caught.value.hint)


def test_the_protocol_of_a_run_is_read_back_with_what_it_leaves_to_the_meter():
    protocol = resolve_protocol({"preset": "standard", "energy_active_s": 20}, source="p")
    assert (protocol.energy_active_s, protocol.energy_idle_s) == (20.0, None)
    kept = json.loads(json.dumps(asdict(protocol)))
    assert resolve_protocol(kept, source="run.json") == protocol
