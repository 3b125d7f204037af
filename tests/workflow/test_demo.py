"""The demo, as somebody who tries edgebench for the first time runs it."""

import json

import pytest

from edgebench.plan import read_plan, shipped_plan
from tests.conftest import state_of

pytestmark = pytest.mark.converter


def test_the_demo_trains_compresses_measures_and_says_what_to_ship(edgebench, tmp_path):
    own = {"EDGEBENCH_CACHE": str(tmp_path / "cache")}
    first = edgebench("demo", "--json", **own)
    printed = json.loads(first.stdout)
    plan = read_plan(shipped_plan("demo"))
    wanted = {(v.name, f) for v in plan.variant for f in v.formats or ("tflite", "onnx")}
    cells = {(c["variant"], c["format"]): c for c in printed["cells"]}
    assert cells.keys() == wanted
    assert {state_of(c) for c in cells.values()} == {"measured"}
    assert all(cells["float32", form]["accuracy"]["value"] >= 0.87 for form in ("tflite", "onnx"))
    assert all(c["accuracy"]["on"] == "device" for c in cells.values())
    assert all(c["memory_mb"]["model"] is not None for c in cells.values())
    assert cells["int8", "tflite"]["size_bytes"] < cells["float32", "tflite"]["size_bytes"] / 3
    assert printed["ship"]["this-machine"]["cell"] in {c["key"] for c in cells.values()}
    assert "epoch" in first.stderr
    again = edgebench("compress", shipped_plan("demo"), "--json", **own)
    assert len(json.loads(again.stdout)["variants"]) == len(wanted)
    assert "epoch" not in again.stderr
    assert "quantiz" not in again.stderr
