"""An installed wheel works outside the checkout: with its runners, profiles, data and plans."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Everything that a wheel must bring along beside modules, found as the program finds it.
LOOK = """
import edgebench, pathlib, sys
from edgebench.device.profile import load_profile, profile_names
from edgebench.plan import read_plan, shipped_plan
from edgebench.runner import RunnerJob, run_here, shipped
here = pathlib.Path(edgebench.__file__).parent
assert here.is_relative_to(sys.argv[1]), here
assert shipped("runners").is_relative_to(here)
assert (shipped("runners") / "launch.sh").is_file()
assert len([load_profile(name) for name in profile_names()]) >= 11
read_plan(shipped_plan("demo"))
assert (here / "zoo" / "fashion_mnist.npz").is_file()
assert (here / "zoo" / "LICENSE.fashion-mnist").is_file()
assert (here / "py.typed").is_file()
page = here / "results" / "report" / "page"
assert {p.suffix for p in page.iterdir()} == {".j2", ".css", ".js"}
print("whole")
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], check=True, cwd=folder)
    (wheel,) = folder.glob("edgebench-*.whl")
    target = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


def test_a_wheel_brings_all_that_it_needs(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(installed)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "whole\n", done.stderr


def test_a_wheel_holds_nothing_of_the_tests(installed):
    tops = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"edgebench", "bin"}
