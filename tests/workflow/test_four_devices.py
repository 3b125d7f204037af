"""One command, one table: this machine, a board behind ssh, a phone without a Python, a record."""

import csv
import json

from tests.conftest import need, state_of
from tests.workflow.runs import only_run

DEVICE = '[[device]]\nname = "{}"\naddress = "{}"\n'
RUNTIMES = {"here": "onnxruntime", "pi": "onnxruntime", "phone": "onnxruntime-native"}


def test_devices_of_every_kind_come_into_one_table(
    plan_with, arm64, bare_phone, edgebench, wheels, tmp_path
):
    need("apt-get")
    env = {"EDGEBENCH_SSH_CONFIG": str(arm64.config), "EDGEBENCH_CACHE": str(wheels)}
    record = tmp_path / "pi.json"
    edgebench("device", "probe", arm64.address, "--record", str(record), **env)
    addresses = {
        "here": "local://",
        "pi": arm64.address,
        "phone": bare_phone.address,
        "told": f"replay://{record}",
    }
    devices = "".join(DEVICE.format(*device) for device in addresses.items())
    plan = plan_with('[[variant]]\nname = "float"\n' + devices)
    # What is only told of cannot be measured.
    done = edgebench("run", plan, "--json", exit_code=3, **env)
    cells = {cell["device"]: cell for cell in json.loads(done.stdout)["cells"]}
    told = cells.pop("told")
    assert {name: cell["runtime"] for name, cell in cells.items()} == RUNTIMES
    assert {state_of(cell) for cell in cells.values()} == {"measured"}
    assert {cell["accuracy"]["value"] for cell in cells.values()} == {1.0}
    assert told["status"] == "failed"
    assert told["latency_ms"]["p50"] is None
    with (only_run(tmp_path / "results") / "table.csv").open(newline="") as table:
        assert {row["device"] for row in csv.DictReader(table)} == set(addresses)
    for left in (
        arm64.seen("/home/pi/.cache/edgebench/jobs"),
        bare_phone.seen("/data/local/tmp/edgebench/jobs"),
    ):
        assert list(left.iterdir()) == []
