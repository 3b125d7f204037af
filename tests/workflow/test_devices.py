"""A Keras and an ONNX model, each to the end, on this machine and behind SSH."""

import json

import pytest

from tests.conftest import state_of

VARIANTS = """
[[variant]]
name = "float"
[[variant]]
name = "int8"
steps = ["quantize int8"]
"""

HERE = '[[device]]\nname = "here"\naddress = "local://"\n'


def board(sshd):
    return f'[[device]]\nname = "board"\naddress = "{sshd.address}"\n'


@pytest.mark.converter
def test_a_keras_model_is_measured_here_and_behind_ssh(halves, sshd, brisk, edgebench, tmp_path):
    source = f'[model]\nsource = "{halves}/net.keras"\n[data]\nsource = "{halves}/data.npz"\n'
    plan = tmp_path / "keras.toml"
    plan.write_text(f"schema = 1\n{source}{brisk}{VARIANTS}{HERE}{board(sshd)}")
    printed = edgebench("run", plan, "--json", EDGEBENCH_SSH_CONFIG=str(sshd.config))
    cells = json.loads(printed.stdout)["cells"]
    assert {(c["device"], c["format"], c["variant"], state_of(c)) for c in cells} == {
        (device, form, variant, "measured")
        for device in ("here", "board")
        for form in ("tflite", "onnx")
        for variant in ("float", "int8")
    }
    assert {c["accuracy"]["on"] for c in cells} == {"device"}
    assert min(c["accuracy"]["value"] for c in cells) > 0.9
    assert {c["runtime"] for c in cells} == {"litert", "onnxruntime"}


def test_an_onnx_model_is_measured_here_and_behind_ssh(plan_with, sshd, edgebench):
    plan = plan_with(VARIANTS + HERE + board(sshd))
    printed = edgebench("run", plan, "--json", EDGEBENCH_SSH_CONFIG=str(sshd.config))
    cells = json.loads(printed.stdout)["cells"]
    assert {(c["device"], c["variant"], state_of(c)) for c in cells} == {
        (device, variant, "measured")
        for device in ("here", "board")
        for variant in ("float", "int8")
    }
    assert [c["accuracy"]["value"] for c in cells if c["variant"] == "float"] == [1.0, 1.0]


def test_a_run_leaves_nothing_at_work_on_the_device(plan_with, sshd, edgebench):
    plan = plan_with(VARIANTS + board(sshd))
    edgebench("run", plan, EDGEBENCH_SSH_CONFIG=str(sshd.config))
    work = sshd.home / ".cache" / "edgebench"
    assert list((work / "jobs").iterdir()) == []
    assert list((work / "blobs").iterdir())


OLD = """
[[variant]]
name = "float"
formats = ["tflite"]
[[variant]]
name = "dynamic"
steps = ["quantize int8-dynamic"]
formats = ["tflite"]
"""


@pytest.mark.converter
def test_a_board_with_an_old_runtime_gets_a_form_that_is_right_there(
    halves, sshd, brisk, edgebench, tmp_path
):
    source = f'[model]\nsource = "{halves}/net.keras"\n[data]\nsource = "{halves}/data.npz"\n'
    old = f'{board(sshd)}runtime = "tflite-runtime"\n'
    plan = tmp_path / "old.toml"
    plan.write_text(f"schema = 1\n{source}{brisk}{OLD}{HERE}{old}")
    env = {"EDGEBENCH_SSH_CONFIG": str(sshd.config)}
    printed = json.loads(edgebench("run", plan, "--json", **env).stdout)
    cells = {(c["device"], c["variant"]): c for c in printed["cells"]}
    assert {key: state_of(cell) for key, cell in cells.items()} == {
        (device, variant): "measured"
        for device in ("here", "board")
        for variant in ("float", "dynamic")
    }
    assert cells["board", "dynamic"]["runtime_version"] == "2.14.0"
    assert cells["board", "dynamic"]["accuracy"]["value"] > 0.9
    # The form for newer runtimes loads there without an error, and computes something else.
    (newer,) = (tmp_path / printed["run"] / "variants").glob("dynamic.tflite")
    words = ["--device", sshd.address, "--runtime", "tflite-runtime", "--json"]
    wrong = edgebench("bench", newer, *words, exit_code=3, **env)
    (cell,) = json.loads(wrong.stdout)["cells"]
    assert (cell["status"], cell["reasons"]) == ("invalid", ["wrong_output"])
    assert cell["latency_ms"]["p50"] is None


def test_a_device_is_made_ready_by_its_name_and_forgotten_with_all_that_was_put_there(
    edgebench, tmp_path, wheels
):
    own = {"HOME": str(tmp_path), "EDGEBENCH_CACHE": str(wheels)}
    edgebench("device", "add", "here", "local://", **own)
    asked = ("device", "provision", "here", "--runtime", "onnxruntime-native")
    told = edgebench(*asked, **own).stdout
    assert "onnxruntime-native is there: the native runner, onnxruntime" in told
    work = tmp_path / ".cache" / "edgebench" / "device"
    assert list(work.glob("runtimes/*/libonnxruntime.so*"))
    assert "0 B sent" in edgebench(*asked, **own).stdout
    assert "MB taken away" in edgebench("device", "remove", "here", "--purge", **own).stdout
    assert not work.exists()
    assert edgebench("device", "list", **own).stdout == ""
