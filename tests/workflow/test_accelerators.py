"""A plan on accelerators: which cells, what each is compared with, and what is refused."""

import json

import pytest

from edgebench.core import Format
from edgebench.errors import ConfigError
from edgebench.plan import PlanDevice
from edgebench.workflow.accelerators import accelerators_for, check_device

ASKED = """
[[device]]
name = "here"
address = "local://"
accelerators = ["cuda"]
[[variant]]
name = "float"
[[variant]]
name = "int8"
steps = ["quantize int8"]
"""


@pytest.mark.parametrize(
    ("asked", "target", "expected"),
    [
        ((), Format.ONNX, ("cpu",)),
        (("cpu",), Format.TFLITE, ("cpu",)),
        (("cuda", "xnnpack"), Format.ONNX, ("cpu", "cuda", "xnnpack")),
        (("cuda", "xnnpack"), Format.TFLITE, ("cpu", "xnnpack")),
        (("delegate:/x.so", "cpu"), Format.TFLITE, ("cpu", "delegate:/x.so")),
        (("delegate:/x.so",), Format.ONNX, ("cpu",)),
    ],
)
def test_the_cpu_is_always_there_and_a_format_takes_what_its_runtimes_know(asked, target, expected):
    assert accelerators_for(asked, target) == expected


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("gpu",), ["'gpu'", "cuda", "delegate:"]),
        (("cuda", "cuda"), ["'cuda'", "twice"]),
        (("delegate:/x.so",), ["'delegate:/x.so'"]),
        (("",), ["''"]),
    ],
)
def test_an_accelerator_that_is_none_is_refused_with_those_that_are(asked, words):
    device = PlanDevice(name="x", address="local://", accelerators=asked)
    with pytest.raises(ConfigError) as caught:
        check_device(device, [Format.ONNX])
    assert [word for word in words if word not in caught.value.in_full()] == []


def test_a_dry_run_shows_every_accelerator(plan_with, edgebench):
    plan = plan_with(ASKED)
    cells = json.loads(edgebench("run", plan, "--dry-run", "--json").stdout)["cells"]
    assert [(cell["variant"], cell["accelerator"]) for cell in cells] == [
        (variant, accelerator) for variant in ("float", "int8") for accelerator in ("cpu", "cuda")
    ]
    assert (
        "int8.onnx  threads 1, single  cuda: quantize int8"
        in edgebench("run", plan, "--dry-run").stdout
    )


def test_a_cell_of_an_accelerator_is_compared_with_the_float_form_there(plan_with, edgebench):
    printed = json.loads(edgebench("run", plan_with(ASKED), "--json", exit_code=3).stdout)
    cells = {(cell["variant"], cell["accelerator"]): cell for cell in printed["cells"]}
    assert cells["float", "cpu"]["latency_ms"]["p50"] > 0
    assert cells["int8", "cpu"]["vs_reference"]["latency_ratio"] > 0
    for variant in ("float", "int8"):
        # No build of onnxruntime here has CUDA, and nobody passes the CPU's numbers off as its.
        cell = cells[variant, "cuda"]
        assert cell["reasons"] == ["silent_fallback"]
        assert cell["vs_reference"]["latency_ratio"] is None
    (path,) = plan_with(ASKED).parent.glob("results/*/run.json")
    specs = {(s["variant"], s["accelerator"]): s for s in json.loads(path.read_text())["cells"]}
    keys = {place: spec["key"] for place, spec in specs.items()}
    assert {place: spec["reference"] for place, spec in specs.items()} == {
        ("float", "cpu"): keys["float", "cpu"],
        ("int8", "cpu"): keys["float", "cpu"],
        ("float", "cuda"): keys["float", "cpu"],
        ("int8", "cuda"): keys["float", "cuda"],
    }


NONE = """
[[device]]
name = "here"
address = "local://"
accelerators = ["none"]
[[variant]]
name = "float"
formats = ["tflite"]
[[variant]]
name = "dynamic"
steps = ["quantize int8-dynamic"]
formats = ["tflite"]
"""


@pytest.mark.converter
def test_ratios_on_an_accelerator_are_to_the_float_form_there(halves, brisk, edgebench, tmp_path):
    source = f'[model]\nsource = "{halves}/net.keras"\n[data]\nsource = "{halves}/data.npz"\n'
    plan = tmp_path / "none.toml"
    plan.write_text(f"schema = 1\n{source}{brisk}{NONE}")
    cells = json.loads(edgebench("run", plan, "--json").stdout)["cells"]
    ratios = {(c["variant"], c["accelerator"]): c["vs_reference"]["latency_ratio"] for c in cells}
    assert ratios.pop(("float", "cpu")) is None
    assert all(ratio > 0 for ratio in ratios.values())
    assert len(ratios) == 3
    (folder,) = (tmp_path / "results").glob("*/")
    assert "accelerator" in (folder / "table.md").read_text()
