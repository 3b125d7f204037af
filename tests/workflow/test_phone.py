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


def test_a_phone_without_a_python_is_given_native_runners_and_left_as_it_was(
    android, edgebench, wheels
):
    need("apt-get")
    cache = {"EDGEBENCH_CACHE": str(wheels)}
    told = json.loads(edgebench("device", "probe", android.address, "--json", **cache).stdout)
    assert told["profile"] == "android-phone"
    known = {name: told[name] for name in ("os", "model", "pythons", "libc", "emulator")}
    assert known == {
        "os": "Android 14",
        "model": "Acme Phone 8",
        "pythons": [],
        "libc": None,
        "emulator": "qemu-aarch64",
    }
    ready = edgebench("device", "provision", android.address, "--json", **cache)
    told = json.loads(ready.stdout)
    taken = {row["runtime"]: row["chosen_for"] for row in told["ways"] if row["way"] == "native"}
    assert taken == {"litert-native": ["tflite"], "onnxruntime-native": ["onnx"]}
    sent = {put["runtime"]: put["sent_bytes"] for put in told["put"]}
    assert all(4e6 < size < 13e6 for size in sent.values())
    again = json.loads(edgebench("device", "provision", android.address, "--json", **cache).stdout)
    assert {put["sent_bytes"] for put in again["put"]} == {0}
    gone = edgebench("device", "remove", android.address, "--purge").stdout
    assert "MB taken away from /data/local/tmp/edgebench" in gone
    (lock,) = android.seen("/data/local/tmp").iterdir()
    assert re.fullmatch(r"edgebench-lock\.\d+", lock.name)
    assert (lock / "free").exists()
