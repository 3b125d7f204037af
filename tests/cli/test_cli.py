"""Options, exit codes, and what goes to which stream."""

import json

import pytest
from click.testing import CliRunner

from edgebench.cli import main


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
    assert doubt.startswith("x (tflite):")


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
    (tmp_path / "m.onnx").write_bytes(b"")
    text = LINTED.format(step='"quantize float16"').replace("zoo:lenet", "m.onnx")
    (tmp_path / "p.toml").write_text(text)
    done = invoke("lint", "p.toml")
    assert done.exit_code == 2
    assert "tflite" in done.stderr


def test_the_inventory_is_the_users_own(invoke):
    assert invoke("device", "add", "pi", "ssh://pi@192.0.2.7", "--profile", "raspberry-pi-5")
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
    facts = json.loads(invoke("device", "probe", "local://", "--json").stdout)
    assert facts["profile"] == "this-machine"
    assert facts["architecture"]
    assert "serial" not in json.dumps(facts).lower()
