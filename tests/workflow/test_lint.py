"""The boards of a plan decide what lint says of it, and the plan itself what it does not say."""

import platform

import pytest

from edgebench.plan import plan_from
from edgebench.workflow.lint import ARCHS, pointless
from edgebench.workflow.order import order_of

S8S8 = {"name": "a", "steps": [{"quantize": "int8", "scheme": "s8s8"}]}
U8S8 = {"name": "b", "steps": ["quantize int8"]}
ELSEWHERE = "ssh://nobody@127.0.0.1:1"


@pytest.fixture
def said(classifier, tmp_path, monkeypatch):
    """The lines of lint, for devices of a plan."""
    inventory = tmp_path / "devices.toml"
    inventory.write_text(
        f"""[device.pi]\naddress = "{ELSEWHERE}"\nprofile = "raspberry-pi-5"
[device.desk]\naddress = "local://"
[device.board]\naddress = "{ELSEWHERE}"\n"""
    )
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(inventory))

    def lines(*devices, **tables):
        document = {
            "schema": 1,
            "model": {"source": "model.onnx"},
            "data": {"source": "data.npz"},
            "device": list(devices),
            "variant": [{"name": "float"}, S8S8, U8S8],
            **tables,
        }
        order = order_of(plan_from(document, source="p.toml"), base=classifier, name="p")
        return [str(remark) for remark in pointless(order)]

    return lines


def here():
    return ARCHS.get(platform.machine().lower())


@pytest.mark.parametrize(
    "device",
    [
        {"name": "x", "address": ELSEWHERE, "profile": "raspberry-pi-5"},
        {"name": "pi"},
        {"name": "board", "profile": "raspberry-pi-5"},
    ],
    ids=["the plan's profile", "the inventory's", "the plan's before the inventory's"],
)
def test_a_board_is_known_by_its_profile(said, device):
    (line,) = said(device)
    assert line.startswith("b (onnx): u8s8 is made for x86: on raspberry-pi-5 try")
    assert line.endswith("[u8s8-arm]")


@pytest.mark.parametrize("device", [{"name": "x", "address": ELSEWHERE}, {"name": "board"}])
def test_of_a_board_that_is_not_known_lint_says_if(said, device):
    lines = said(device)
    assert [line.partition(" [")[2] for line in lines] == ["s8s8-x86]", "u8s8-arm]"]
    assert all(" if the device is " in line for line in lines)


@pytest.mark.skipif(here() != "x86", reason="what is said of an x86 where one is")
@pytest.mark.parametrize("device", [{"name": "x", "address": "local://"}, {"name": "desk"}])
def test_this_machine_says_what_it_is(said, device):
    (line,) = said(device)
    assert line.startswith("a (onnx): s8s8 is slow on this-machine: ")


def test_every_board_counts(said):
    lines = said({"name": "pi"}, {"name": "board", "profile": "raspberry-pi-4"})
    assert len(lines) == 1
    assert "on raspberry-pi-5 try" in lines[0]


def test_what_the_plan_silences_is_not_said(said):
    device = {"name": "board"}
    assert said(device, lint={"silence": ["u8s8-arm", "s8s8-x86"]}) == []


def test_a_remark_is_a_document_with_its_source(classifier):
    document = {
        "schema": 1,
        "model": {"source": "model.onnx"},
        "variant": [{"name": "w", "steps": ["quantize int8-weights"]}],
    }
    order = order_of(plan_from(document, source="p.toml"), base=classifier, name="p")
    (remark,) = pointless(order)
    found = remark.document()
    assert (found["variant"], found["format"], found["rule"]) == ("w", "onnx", "weights-unpacked")
    assert str(remark) == f"w (onnx): {found['text']} [weights-unpacked]"
    assert found["source"]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("raspberry-pi-5", "raspberry-pi-5 has no cuda: its cells will have no numbers"),
        ("jetson-orin-nano", ""),
        ("linux-board", ""),
    ],
)
def test_an_accelerator_that_a_kind_of_board_cannot_have_is_said(said, profile, words):
    board = {"name": "x", "address": ELSEWHERE, "profile": profile}
    asked = {**board, "accelerators": ["xnnpack", "cuda"]}
    (*more,) = set(said(asked)) - set(said(board))
    assert [line.startswith(f"x: {words}") for line in more] == [True] * bool(words)
    silent = said(asked, lint={"silence": ["accelerator-absent"]})
    assert silent == said(board)


def test_a_remark_on_a_device_names_no_variant(classifier):
    document = {
        "schema": 1,
        "model": {"source": "model.onnx"},
        "device": [
            {"name": "x", "address": ELSEWHERE, "profile": "jetson-nano", "accelerators": ["qnn"]}
        ],
        "variant": [{"name": "float"}],
    }
    order = order_of(plan_from(document, source="p.toml"), base=classifier, name="p")
    (remark,) = pointless(order)
    found = remark.document()
    assert (found["variant"], found["format"], found["device"]) == (None, None, "x")
    assert found["rule"] == "accelerator-absent"
    assert "cuda, tensorrt, acl" in str(found["text"])
