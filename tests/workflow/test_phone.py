"""The whole way to a phone behind adb: probed, given a runtime, measured."""

import json

from tests.conftest import state_of

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
