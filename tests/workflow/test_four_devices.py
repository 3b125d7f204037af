"""One command, one table: devices of every kind, and four boards at once."""

import contextlib
import csv
import json

import pytest

from tests import fleet
from tests.carrier import Quality
from tests.conftest import need, state_of
from tests.workflow.runs import document, only_run

DEVICE = '[[device]]\nname = "{}"\naddress = "{}"\n'
RUNTIMES = {"here": "onnxruntime", "pi": "onnxruntime", "phone": "onnxruntime-native"}


def test_devices_of_every_kind_come_into_one_table(
    plan_with, arm64, android, edgebench, wheels, tmp_path
):
    need("apt-get")
    env = {"EDGEBENCH_SSH_CONFIG": str(arm64.config), "EDGEBENCH_CACHE": str(wheels)}
    record = tmp_path / "pi.json"
    edgebench("device", "probe", arm64.address, "--record", str(record), **env)
    addresses = {
        "here": "local://",
        "pi": arm64.address,
        "phone": android.address,
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
    assert [name for name, cell in cells.items() if "emulated" in cell["reasons"]] == [
        "pi",
        "phone",
    ]
    assert {cell["accuracy"]["value"] for cell in cells.values()} == {1.0}
    assert told["status"] == "failed"
    assert told["latency_ms"]["p50"] is None
    with (only_run(tmp_path / "results") / "table.csv").open(newline="") as table:
        assert {row["device"] for row in csv.DictReader(table)} == set(addresses)
    for left in (
        arm64.seen("/home/pi/.cache/edgebench/jobs"),
        android.seen("/data/local/tmp/edgebench/jobs"),
    ):
        assert list(left.iterdir()) == []


BOARDS = {
    "pi4": "litert",
    "spare": "litert-native",
    "far": "litert-native",
    "pi3": "tflite-runtime",
}


@pytest.fixture
def boards(arm64, armhf, wheels, tmp_path):
    """By name; the configuration that leads to all of them lies beside the plan."""
    with contextlib.ExitStack() as stack:
        more = [stack.enter_context(fleet.booted(fleet.ARM64, wheels)) for _ in range(2)]
        found = dict(zip(BOARDS, (arm64, *more, armhf), strict=True))
        lines = [
            f"Host {board.address.rpartition('@')[2]}\n  UserKnownHostsFile {folder}/known_hosts\n"
            f"  IdentityFile {folder}/id_ed25519\n  IdentitiesOnly yes\n"
            for board in found.values()
            for folder in [board.config.parent]
        ]
        (tmp_path / "config").write_text("".join(lines))
        yield found


def test_four_boards_at_once_are_each_given_a_runtime_and_measured(
    boards, halves, brisk, edgebench, wheels, tmp_path
):
    boards["far"].link.becomes(Quality(delay_ms=60, jitter_ms=20, loss_percent=1))
    source = f'[model]\nsource = "{halves}/net.keras"\n[data]\nsource = "{halves}/data.npz"\n'
    devices = "".join(
        DEVICE.format(name, boards[name].address) + f'runtime = "{runtime}"\n'
        for name, runtime in BOARDS.items()
    )
    variant = '[[variant]]\nname = "float"\nformats = ["tflite"]\n'
    plan = tmp_path / "four.toml"
    plan.write_text(f"schema = 1\n{source}{brisk}{variant}{devices}")
    env = {"EDGEBENCH_SSH_CONFIG": str(tmp_path / "config"), "EDGEBENCH_CACHE": str(wheels)}
    cells = document(edgebench("run", plan, "--json", **env))["cells"]
    assert {cell["device"]: cell["runtime"] for cell in cells} == BOARDS
    assert {state_of(cell) for cell in cells} == {"measured"}
    assert ["emulated" in cell["reasons"] for cell in cells] == [True] * 4
    assert {cell["latency_ms"]["processes"] for cell in cells} == {3}
    assert len({cell["accuracy"]["value"] for cell in cells}) == 1
    assert {cell["accuracy"]["on"] for cell in cells} == {"device"}
    left = [board.seen("/home/pi/.cache/edgebench/jobs") for board in boards.values()]
    assert [list(folder.iterdir()) for folder in left] == [[], [], [], []]
