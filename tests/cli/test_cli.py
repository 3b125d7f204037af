"""Options, exit codes, and what goes to which stream."""

import json
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from edgebench.cli.gates import NAMES
from edgebench.device.replay import Answer, Capture, write_capture
from edgebench.results.quantities import QUANTITIES
from tests.conftest import miss
from tests.device.boards import BOARDS


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(tmp_path / "devices.toml"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def test_init_writes_a_plan_that_lint_reads(invoke):
    assert invoke("init").exit_code == 0
    assert invoke("lint", "plan.toml").exit_code == 0


def test_init_overwrites_nothing(invoke, tmp_path):
    (tmp_path / "plan.toml").write_text("mine")
    done = invoke("init")
    assert done.exit_code == 2
    assert "plan.toml" in done.stderr
    assert (tmp_path / "plan.toml").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ("lint", "none.toml"),
        ("run", "none.toml"),
        ("run",),
        ("run", "none.toml", "--resume", "none"),
        ("run", "--resume", "none"),
        ("compress", "none.toml"),
        ("bench", "none.onnx"),
        ("results", "show", "none"),
        ("results", "export", "none", "--to", "x.csv"),
        ("report", "none", "--out", "x.html"),
        ("report", "none", "--out", "x.pdf"),
        ("report", "none"),
        ("validate", "none"),
        ("compare", "none", "none"),
        ("compare", "none"),
        ("compare", "none", "none", "--margin", "much"),
        ("compare", "none", "none", "--margin", "-1"),
        ("compare", "none", "none", "--margin", "speed=1%"),
        ("compare", "none", "none", "--floor", "0.1"),
        ("compare", "none", "none", "--floor", "latency=nan"),
        ("device", "remove", "none"),
        ("device", "probe", "none"),
        ("device", "add", "a", "gopher://there"),
        ("device", "add", "a b", "local://"),
        ("device", "add", "a", "local://", "--profile", "toaster"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_ends_with_2_and_says_so_on_stderr(invoke, words):
    done = invoke(*words)
    assert done.exit_code == 2
    assert done.stderr.strip()
    assert done.stdout == ""


def test_an_unknown_key_names_the_nearest(invoke, tmp_path):
    (tmp_path / "p.toml").write_text("schema = 1\n[modle]\n")
    done = invoke("lint", "p.toml")
    assert done.exit_code == 2
    assert "p.toml: unknown key `modle`. Nearest: `model`." in done.stderr


LINTED = """
schema = 1
[model]
source = "zoo:lenet"
[data]
source = "zoo:fashion-mnist"
[[variant]]
name = "float"
[[variant]]
name = "x"
steps = [{step}]
formats = ["tflite"]
"""


def test_lint_says_what_is_pointless(invoke, tmp_path):
    (tmp_path / "p.toml").write_text(LINTED.format(step='"quantize int16x8"'))
    done = invoke("lint", "p.toml", "--json")
    assert done.exit_code == 0
    (doubt,) = json.loads(done.stdout)["doubts"]
    assert set(doubt) == {"variant", "format", "device", "rule", "text", "source"}
    assert (doubt["variant"], doubt["format"], doubt["rule"]) == ("x", "tflite", "int16x8-slow")
    (line,) = invoke("lint", "p.toml").stdout.splitlines()
    assert line == f"x (tflite): {doubt['text']} [int16x8-slow]"


def test_lint_is_silent_on_what_the_plan_silences(invoke, tmp_path):
    silence = '[lint]\nsilence = ["{}"]\n'
    text = LINTED.format(step='"quantize int16x8"')
    (tmp_path / "p.toml").write_text(text + silence.format("int16x8-slow"))
    assert json.loads(invoke("lint", "p.toml", "--json").stdout)["doubts"] == []
    (tmp_path / "p.toml").write_text(text + silence.format("int16x8-slwo"))
    done = invoke("lint", "p.toml")
    assert done.exit_code == 2
    assert "`lint.silence[0]` is 'int16x8-slwo'" in done.stderr
    assert "Did you mean 'int16x8-slow'?" in done.stderr


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('"quantise int8"', "quantize"),
        ('"quantize int7"', "int7"),
        ('{ quantize = "int8", sceme = "s8s8" }', "scheme"),
    ],
    ids=["step", "value", "option"],
)
def test_a_step_that_is_not_known_is_refused_by_lint(invoke, tmp_path, step, said):
    (tmp_path / "p.toml").write_text(LINTED.format(step=step))
    done = invoke("lint", "p.toml")
    assert done.exit_code == 2
    assert said in done.stderr


def test_two_names_for_one_recipe_are_refused(invoke, tmp_path):
    again = '[[variant]]\nname = "y"\nsteps = ["quantize int8"]\n'
    (tmp_path / "p.toml").write_text(LINTED.format(step='"quantize int8"') + again)
    done = invoke("lint", "p.toml")
    assert done.exit_code == 2
    assert "'x' and 'y' are the same" in done.stderr


def test_an_onnx_model_cannot_become_tflite_and_lint_says_so(invoke, tmp_path):
    save_identity(tmp_path / "m.onnx")
    text = LINTED.format(step='"quantize float16"').replace("zoo:lenet", "m.onnx")
    (tmp_path / "p.toml").write_text(text)
    refused = invoke("lint", "p.toml")
    assert refused.exit_code == 2
    assert "tflite" in refused.stderr
    # It is the format that is refused, and not the model.
    (tmp_path / "p.toml").write_text(text.replace('formats = ["tflite"]', ""))
    assert invoke("lint", "p.toml").exit_code == 0


def save_identity(path):
    if find_spec("onnx") is None:
        miss("the extra `compress` is not installed")
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))


SOUND = 'schema = 1\n[model]\nsource = "zoo:lenet"\n[data]\nsource = "zoo:fashion-mnist"\n'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("zoo:lenet", "zoo:nosuch"), "nosuch"),
        (("zoo:lenet", "none.keras"), "none.keras"),
        (("zoo:fashion-mnist", "none.npz"), "none.npz"),
        (("local://", "foo://"), "foo://"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize(
    "words", [("lint", "p.toml"), ("run", "p.toml", "--dry-run")], ids=" ".join
)
def test_what_is_not_there_is_known_without_a_run(invoke, tmp_path, words, change, said):
    device = '[[device]]\nname = "here"\naddress = "local://"\n[[variant]]\nname = "float"\n'
    (tmp_path / "p.toml").write_text(SOUND + device)
    assert invoke(*words).exit_code == 0
    (tmp_path / "p.toml").write_text((SOUND + device).replace(*change))
    done = invoke(*words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_inventory_is_the_users_own(invoke):
    words = ("device", "add", "pi", "ssh://pi@192.0.2.7", "--profile", "raspberry-pi-5")
    assert invoke(*words).exit_code == 0
    listed = json.loads(invoke("device", "list", "--json").stdout)["devices"]
    assert [(d["name"], d["address"], d["profile"]) for d in listed] == [
        ("pi", "ssh://pi@192.0.2.7", "raspberry-pi-5")
    ]
    assert invoke("device", "remove", "pi").exit_code == 0
    assert json.loads(invoke("device", "list", "--json").stdout)["devices"] == []


def test_a_password_in_an_address_is_refused(invoke, tmp_path):
    done = invoke("device", "add", "pi", "ssh://pi:secret@192.0.2.7")
    assert done.exit_code == 2
    assert "secret" not in done.stderr
    assert not (tmp_path / "devices.toml").exists()


def test_probe_prints_the_facts_of_this_machine(invoke):
    printed = invoke("device", "probe", "local://", "--json").stdout
    facts = json.loads(printed)
    assert facts["profile"] == "this-machine"
    assert facts["architecture"]
    assert [word for word in identifiers() if word in printed.lower()] == []


def identifiers():
    """What would tell this very machine from every other of its kind."""
    host = socket.gethostname()
    found = [host] if len(host) > 3 else []
    for path in (Path("/etc/machine-id"), *Path("/sys/class/net").glob("*/address")):
        with suppress(OSError):
            found.append(path.read_text().strip())
    # The loopback's address is that of every machine, and that of a tunnel may be empty.
    return [word.lower() for word in found if word.strip("0:")]


def test_the_help_of_compare_names_the_defaults_that_are_used(invoke):
    told = " ".join(invoke("compare", "--help").stdout.split())
    shown = {
        name: f"{name}={quantity.floor:g}" + (f" ({quantity.unit})" if quantity.unit else "")
        for name, quantity in QUANTITIES.items()
    }
    assert [text for text in shown.values() if text not in told] == []
    assert {name for name, q in QUANTITIES.items() if q.margin_ratio is None} == {
        *("latency", "energy")
    }
    assert "error, size and memory 1%; accuracy 0%" in told
    assert {n: QUANTITIES[n].margin_ratio for n in ("error", "size", "memory", "accuracy")} == {
        **dict.fromkeys(("error", "size", "memory"), 0.01),
        "accuracy": 0.0,
    }
    assert set(NAMES) == set(QUANTITIES)


def test_a_device_that_is_added_gets_the_profile_that_its_facts_propose(invoke, tmp_path):
    text = BOARDS["pi4-bookworm"].read_text()
    write_capture(tmp_path / "b.json", Capture(answers={"edgebench-facts": Answer(stdout=text)}))
    done = invoke("device", "add", "pi", "replay://b.json")
    assert done.exit_code == 0
    assert (
        "pi is a raspberry-pi-4, for its model 'Raspberry Pi 4 Model B Rev 1.4' fits" in done.stderr
    )
    (entry,) = json.loads(invoke("device", "list", "--json").stdout)["devices"]
    assert entry["profile"] == "raspberry-pi-4"


def test_a_device_that_does_not_answer_yet_is_kept_without_a_profile(invoke):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = invoke("device", "add", "pi", f"ssh://pi@127.0.0.1:{closed.getsockname()[1]}")
    assert done.exit_code == 0
    assert "gets its profile when it answers" in done.stderr
    (entry,) = json.loads(invoke("device", "list", "--json").stdout)["devices"]
    assert entry["profile"] is None
