"""Answers of boards to the script of facts: one text file a board, one JSON of what it means.

The formats are those of real boards; the values were written for the tests.
"""

from pathlib import Path

from edgebench.core import Device
from edgebench.device.connect import connect
from edgebench.device.replay import Answer, Capture, ReplayTransport

BOARDS = {path.stem: path for path in (Path(__file__).parent / "captures").glob("*.txt")}


def replayed(name: str) -> ReplayTransport:
    """A transport that answers as the board did."""
    answers = {"edgebench-facts": Answer(stdout=BOARDS[name].read_text())}
    return ReplayTransport(Capture(answers=answers))


def replayed_device(name: str, folder: Path) -> Device:
    """A device that answers as the board did."""
    import json

    path = folder / f"{name}.json"
    answer = {"stdout": BOARDS[name].read_text()}
    path.write_text(json.dumps({"answers": {"edgebench-facts": answer}}))
    return connect(f"replay://{path}")
