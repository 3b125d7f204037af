"""The whole way to a phone behind adb: probed, given a runtime, measured."""

import json
import re

from tests.conftest import need, state_of

PHONE = """
[[variant]]
name = "float"
[[device]]
name = "phone"
address = "{address}"
"""


def test_a_model_is_measured_on_a_phone(plan_with, phone, edgebench):
    facts = json.loads(edgebench("device", "probe", phone.address, "--json").stdout)
    assert facts["profile"] == "android-phone"
    plan = plan_with(PHONE.format(address=phone.address))
    (cell,) = json.loads(edgebench("run", plan, "--json").stdout)["cells"]
    assert (cell["device"], state_of(cell)) == ("phone", "measured")
    assert cell["latency_ms"]["p50"] > 0
    assert (cell["accuracy"]["value"], cell["accuracy"]["on"]) == (1.0, "device")
    work = phone.seen(facts["work_folder"])
    assert list((work / "jobs").iterdir()) == []
    assert list((work / "blobs").iterdir())


def test_a_phone_without_a_python_is_measured_by_the_native_runner_and_left_as_it_was(
    plan_with, bare_phone, edgebench, wheels
):
    need("apt-get")
    plan = plan_with(PHONE.format(address=bare_phone.address))
    cache = {"EDGEBENCH_CACHE": str(wheels)}
    (cell,) = json.loads(edgebench("run", plan, "--json", **cache).stdout)["cells"]
    assert (cell["runtime"], state_of(cell)) == ("onnxruntime-native", "measured")
    assert cell["latency_ms"]["p50"] > 0
    assert (cell["accuracy"]["value"], cell["accuracy"]["on"]) == (1.0, "device")
    ready = edgebench("device", "provision", bare_phone.address, "--json", **cache)
    told = json.loads(ready.stdout)
    taken = {row["runtime"]: row["chosen_for"] for row in told["ways"] if row["way"] == "native"}
    assert taken == {"litert-native": ["tflite"], "onnxruntime-native": ["onnx"]}
    sent = {put["runtime"]: put["sent_bytes"] for put in told["put"]}
    assert sent["onnxruntime-native"] == 0
    assert 4e6 < sent["litert-native"] < 13e6
    assert list(bare_phone.seen("/data/local/tmp").iterdir())
    gone = edgebench("device", "remove", bare_phone.address, "--purge").stdout
    assert "MB taken away from /data/local/tmp/edgebench" in gone
    (lock,) = bare_phone.seen("/data/local/tmp").iterdir()
    assert re.fullmatch(r"edgebench-lock\.\d+", lock.name)
    assert (lock / "free").exists()
