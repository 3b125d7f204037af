"""A model against itself, on this machine."""

import json

from edgebench.workflow.calibrate import BLOCKS_LEAST


def test_a_device_is_calibrated_and_its_floor_widens_the_margin(plan_with, edgebench, tmp_path):
    settings = {"EDGEBENCH_CONFIG": str(tmp_path / "devices.toml")}
    argv = ("device", "calibrate", "local://", "--blocks", str(BLOCKS_LEAST), "--json")
    document = json.loads(edgebench(*argv, **settings).stdout)
    assert document["launches"] == 2 * BLOCKS_LEAST
    assert 0 < document["floor_ratio"] < 5
    assert sum(document["verdicts"].values()) == 200
    kept = tmp_path / "floors" / "local.json"
    floor = json.loads(kept.read_text())
    assert floor["floor_ratio"] == document["floor_ratio"]
    # A device that shows 40 % between a model and itself cannot tell 40 % between two models.
    kept.write_text(json.dumps({**floor, "floor_ratio": 0.4}))
    plan = plan_with(
        '[[variant]]\nname = "float"\n[[variant]]\nname = "again"\nsteps = ["quantize float16"]\n'
        '[[device]]\nname = "local"\naddress = "local://"\n'
    )
    run = json.loads(edgebench("run", plan, "--json", **settings).stdout)
    (cell,) = [cell for cell in run["cells"] if cell["variant"] == "again"]
    assert cell["vs_reference"]["margin_ratio"] == 0.4
