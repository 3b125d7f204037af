"""A SavedModel as the world has them: basic-pitch's, which Keras 2 saved with its optimizer."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgebench.compress.pipeline import build, open_model
from edgebench.core import Format, Recipe
from tests.conftest import miss

pytestmark = pytest.mark.converter

INSIDE = "basic_pitch/saved_models/icassp_2022"


@pytest.fixture(scope="session")
def basic_pitch(tmp_path_factory):
    """The folder in its wheel that holds the same net as SavedModel, TFLite and ONNX."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench-tests"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(kept)]
    if not list(kept.glob("basic_pitch-0.4.0-*.whl")):
        done = subprocess.run([*pip, "basic-pitch==0.4.0"], capture_output=True, check=False)
        if done.returncode != 0:
            miss(f"basic-pitch cannot be had: {done.stderr.decode()[-200:]}")
    folder = tmp_path_factory.mktemp("basic-pitch")
    with zipfile.ZipFile(next(kept.glob("basic_pitch-0.4.0-*.whl"))) as wheel:
        wheel.extractall(folder, [n for n in wheel.namelist() if n.startswith(INSIDE)])
    return folder / INSIDE


def test_a_saved_model_of_keras_2_becomes_the_onnx_that_its_authors_made(basic_pitch, tmp_path):
    import onnxruntime

    model = open_model(
        "nmp", base=basic_pitch, dataset=None, cache=tmp_path, seed=0, progress=quiet
    )
    variant = build(
        model,
        Recipe(name="float"),
        Format.ONNX,
        dataset=None,
        metric=None,
        cache=tmp_path,
        seed=0,
        progress=quiet,
    )
    sample = np.random.default_rng(0).uniform(-1, 1, (1, 43844, 1)).astype(np.float32)
    ours, theirs = (
        sorted(run(onnxruntime.InferenceSession(str(path)), sample), key=by_shape_and_sum)
        for path in (variant.artifact.path, basic_pitch / "nmp.onnx")
    )
    assert [a.shape for a in ours] == [a.shape for a in theirs]
    assert max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)) < 1e-5


def quiet(words):
    """Progress that nobody reads."""


def run(session, sample):
    return session.run(None, {session.get_inputs()[0].name: sample})


def by_shape_and_sum(array):
    return array.shape, float(array.sum())
