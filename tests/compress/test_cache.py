import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgebench.compress import steps
from edgebench.compress.inspect import read_artifact
from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.core import Format, Model, Recipe
from tests.compress import graphs

pytestmark = pytest.mark.converter


def quiet(words):
    """Progress that nobody reads."""


def model_of(path):
    return Model(name=path.stem, artifact=read_artifact(path))


def test_what_was_made_is_not_made_again(make, lenet):
    said: list[str] = []
    first = make(lenet, Format.TFLITE, "quantize int8")
    before = first.artifact.path.stat()
    second = make(lenet, Format.TFLITE, "quantize int8", progress=said.append)
    after = second.artifact.path.stat()
    assert second == first
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert said == []


def test_a_float_conversion_is_shared_by_all_recipes(tmp_path, make, lenet):
    cache = tmp_path / "cache"
    said: list[str] = []
    for form in ("float16", "int8-weights"):
        make(lenet, Format.TFLITE, f"quantize {form}", cache=cache, progress=said.append)
    assert sum("keras to tflite" in words for words in said) == 1


def test_a_cached_variant_comes_back_without_any_converter(make, lenet, cache, dataset):
    expected = make(lenet, Format.TFLITE, "quantize int8", metric=None).artifact
    code = """
import json, sys
for name in ("tensorflow", "keras", "litert_quantizer", "tf2onnx", "onnx"):
    sys.modules[name] = None
from pathlib import Path
import numpy as np
from edgebench.compress.inspect import read_artifact
from edgebench.compress.pipeline import build
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Task
from edgebench.core import Format, Model, Recipe
from edgebench.data import dataset_from_arrays
source, cache, data = map(Path, sys.argv[1:])
with np.load(data) as arrays:
    dataset = dataset_from_arrays(dict(arrays), name="data")
variant = build(
    Model(name="lenet", artifact=read_artifact(source)),
    Recipe(name="x", steps=(parse_step("quantize int8"),)),
    Format.TFLITE,
    dataset=dataset, metric=None, cache=cache, seed=0, progress=sys.exit,
)
print(variant.artifact.sha256)
"""
    data = cache / "data.npz"
    x, y = dataset.train.x[""][:50], dataset.train.y[:50]
    calibration = dataset.calibration[""]
    np.savez(data, x_train=x, y_train=y, x_test=x, y_test=y, x_calibration=calibration)
    argv = [sys.executable, "-c", code, str(lenet.artifact.path), str(cache), str(data)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"step": {"quantize": "int8", "seed": 5}},
        {"step": {"quantize": "int8", "scheme": "s8s8"}},
        {"calibration": 1.5},
    ],
    ids=str,
)
def test_whatever_decides_the_outcome_makes_it_anew(tmp_path, cache, features, make, change):
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    data = features
    if "calibration" in change:
        data = replace(features, calibration={"": features.calibration[""] * change["calibration"]})
    kept = make(model, Format.ONNX, "quantize int8", dataset=features, metric=None)
    made = make(
        model,
        Format.ONNX,
        change.get("step", "quantize int8"),
        dataset=data,
        metric=None,
        seed=change.get("seed", 0),
    )
    assert made.artifact.path != kept.artifact.path


def test_where_chance_has_no_part_the_seed_changes_nothing(tmp_path, make, features):
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    paths = {
        make(
            model, Format.ONNX, "quantize int8-weights", dataset=features, metric=None, seed=seed
        ).artifact.path
        for seed in (0, 1)
    }
    assert len(paths) == 1


def test_a_changed_tool_version_makes_it_anew(tmp_path, make, features, monkeypatch):
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    cache = tmp_path / "cache"

    def variant():
        return make(
            model, Format.ONNX, "quantize float16", dataset=features, metric=None, cache=cache
        )

    first = variant().artifact.path
    # A distribution found earlier on the path hides the one that is installed.
    info = tmp_path / "site" / "onnx-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnx\nVersion: 99.0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    second = variant()
    assert second.artifact.path != first
    assert second.ledger[0].versions["onnx"] == "99.0"


def test_a_changed_revision_makes_it_anew(tmp_path, make, features):
    way = steps.STEPS["quantize"].ways[Format.ONNX]
    keys = {
        walk_key(replace(way, revision=revision), model_of(graphs.dense(tmp_path / "d.onnx")))
        for revision in (1, 2)
    }
    assert len(keys) == 2


def walk_key(way, model):
    from edgebench.compress.route import Stage
    from edgebench.compress.walk import Order

    stage = Stage(way=way, step=parse_step("quantize float16"))
    return Order(stage=stage, source=model.artifact, samples=None, seed=0, compat=()).key


def test_a_file_that_was_changed_in_the_cache_is_made_anew(tmp_path, make, features):
    model, cache = model_of(graphs.dense(tmp_path / "d.onnx")), tmp_path / "cache"
    settings = {"dataset": features, "metric": None, "cache": cache}
    path = make(model, Format.ONNX, "quantize float16", **settings).artifact.path
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    again = make(model, Format.ONNX, "quantize float16", **settings).artifact
    assert again.path.read_bytes() == whole


def _build_once(model, cache, said):
    build(
        model,
        Recipe(name="both", steps=(parse_step("quantize float16"),)),
        Format.ONNX,
        dataset=None,
        metric=None,
        cache=cache,
        seed=0,
        progress=said.append,
    )
    (cache / f"said-{os.getpid()}").write_text(json.dumps(said))


def test_two_processes_make_the_same_thing_once(tmp_path):
    model, cache = model_of(graphs.dense(tmp_path / "d.onnx")), tmp_path / "cache"
    cache.mkdir()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_build_once, args=(model, cache, [])) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    said = [json.loads(path.read_text()) for path in cache.glob("said-*")]
    made = [words for words in said if any(word.endswith(": quantize float16") for word in words)]
    assert (len(said), len(made)) == (3, 1)
    assert [path.name[0] == "." for path in (cache / "made").iterdir()] == [False]


def test_a_trained_model_is_not_trained_again(lenet, dataset, cache, tmp_path):
    said: list[str] = []
    again = open_model(
        "zoo:lenet", base=tmp_path, dataset=dataset, cache=cache, seed=0, progress=said.append
    )
    assert (again, said) == (lenet, [])
