import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgebench.compress import launch, steps
from edgebench.compress.inspect import read_artifact
from edgebench.compress.pipeline import build, open_model
from edgebench.compress.technique import Task
from edgebench.core import Format, Model, Recipe
from edgebench.data import dataset_from_arrays
from edgebench.errors import CompressionError, ConfigError
from tests.compress import graphs

pytestmark = pytest.mark.converter


def quiet(words):
    """Progress that nobody reads."""


def model_of(path):
    return Model(name=path.stem, artifact=read_artifact(path))


def test_the_ledger_holds_what_the_outcome_depends_on(make, lenet):
    export, entry = make(lenet, Format.TFLITE, "quantize int8").ledger
    assert (export.step, entry.step) == ("keras to tflite", "quantize int8")
    assert export.accuracy_before is None
    assert "keras" in export.settings["accuracy_before_reason"]
    assert export.accuracy_after == entry.accuracy_before
    assert export.seed is None
    assert entry.seed == 0
    assert sorted(entry.settings["calibration_order"]) == list(range(100))
    assert entry.settings["calibration_order"] != list(range(100))
    assert len(entry.settings["calibration_sha256"]) == 64
    assert set(export.versions) == {"tensorflow", "keras", "ai-edge-litert"}
    assert set(entry.versions) == {"litert-quantizer", "ai-edge-litert"}
    assert entry.changed["before"]["weights"] == {"FLOAT32": 4}
    assert entry.changed["after"]["weights"] == {"INT8": 4}
    assert entry.seconds > 0
    assert 0 < entry.gzip_bytes < entry.size_bytes


def test_without_labels_the_accuracy_has_a_reason(tmp_path, make, features, metric):
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    entry = make(model, Format.ONNX, "quantize int8", dataset=features, metric=metric).ledger[0]
    assert (entry.accuracy_before, entry.accuracy_after) == (None, None)
    assert "no labelled samples" in entry.settings["accuracy_after_reason"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_calibration_sample_that_is_no_number_is_named(tmp_path, make, value):
    x = np.zeros((30, 32), np.float32)
    broken = x[:10].copy()
    broken[7, 3] = value
    data = dataset_from_arrays({"x_train": x, "x_test": x, "x_calibration": broken}, name="broken")
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    with pytest.raises(ConfigError, match=r"Calibration sample 7 of the input holds NaN"):
        make(model, Format.ONNX, "quantize int8", dataset=data, metric=None)


def test_broken_calibration_data_is_found_before_any_conversion(tmp_path, make, lenet, dataset):
    broken = dataset.calibration[""].copy()
    broken[3, 0, 0, 0] = np.nan
    data = replace(dataset, calibration={"": broken})
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"Calibration sample 3"):
        make(lenet, Format.TFLITE, "quantize int8", dataset=data, progress=said.append)
    assert said == []


def test_a_missing_extra_names_the_command_that_installs_it(tmp_path, lenet, dataset, monkeypatch):
    way = steps.CONVERSIONS[Format.KERAS, Format.TFLITE]
    missing = {(Format.KERAS, Format.TFLITE): replace(way, tools=("tensorflow", "not-there"))}
    from edgebench.compress import route

    monkeypatch.setattr(route, "CONVERSIONS", missing)
    with pytest.raises(ConfigError, match="needs not-there, which is not installed") as caught:
        build(
            lenet,
            Recipe(name="float"),
            Format.TFLITE,
            dataset=dataset,
            metric=None,
            cache=tmp_path,
            seed=0,
            progress=quiet,
        )
    assert "pip install 'edgebench[compress]'" in str(caught.value.hint)


# A model without layers, whose weights are no HDF5 file.
EMPTY = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "empty",
        "layers": [
            {
                "module": "keras.layers",
                "class_name": "InputLayer",
                "config": {"batch_shape": [None, 4], "name": "x"},
            }
        ],
    },
}


def test_a_tool_that_fails_leaves_its_last_words_and_its_log(tmp_path, make):
    path = tmp_path / "broken.keras"
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(EMPTY))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(
        CompressionError, match=r"'keras to tflite of broken\.keras' failed"
    ) as caught:
        make(model_of(path), Format.TFLITE, dataset=None, metric=None, cache=tmp_path / "cache")
    log = Path(str(caught.value.hint).removeprefix("All that it printed: "))
    assert "Traceback" in log.read_text()
    assert list((tmp_path / "cache" / "made").iterdir()) == []


def test_a_worker_that_is_killed_is_told_from_one_that_fails(tmp_path):
    task = Task(way="train", source=None, step=None, folder=tmp_path)
    log = tmp_path / "log"
    log.write_text("")
    assert "SIGSEGV" in str(launch._crash(task, -11, log))
    assert "code 3" in str(launch._crash(task, 3, log))


@pytest.mark.parametrize(
    ("source", "words"),
    [("zoo:vgg", "no model 'vgg'"), ("gone.keras", "There is no model"), ("a.txt", "no model")],
)
def test_a_model_that_is_none_is_refused(tmp_path, dataset, source, words):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ConfigError, match=words):
        open_model(source, base=tmp_path, dataset=dataset, cache=tmp_path, seed=0, progress=quiet)


def test_a_model_of_the_zoo_needs_labelled_classes(tmp_path, features):
    for data, words in ((None, "needs data"), (features, "this data has none")):
        with pytest.raises(ConfigError, match=words):
            open_model(
                "zoo:lenet", base=tmp_path, dataset=data, cache=tmp_path, seed=0, progress=quiet
            )
