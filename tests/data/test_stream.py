import subprocess
import sys
from itertools import count

import numpy as np
import pytest

from edgebench.data import dataset_from_arrays, dataset_from_streams, load_dataset
from edgebench.data.stream import arrays_from_streams, free_bytes
from edgebench.errors import ConfigError

X = np.arange(48, dtype=np.float32).reshape(24, 2)
Y = np.arange(24)


def batches(size, x=X, y=Y):
    """A function without arguments, as a plan's data source may give it."""
    return lambda: ((x[at : at + size], y[at : at + size]) for at in range(0, len(x), size))


def whole(**more):
    return dataset_from_arrays(
        {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4], **more}, name="arrays"
    )


class Indexed:
    """A sequence of samples, as a Dataset of PyTorch is."""

    def __getitem__(self, index):
        return X[index], int(Y[index])


class Endless:
    """What is read of a `tf.data.Dataset` after `.repeat()`."""

    def as_numpy_iterator(self):
        return iter(())

    def cardinality(self):
        return np.int64(-1)


@pytest.mark.parametrize(
    "train",
    [
        batches(5),
        batches(24),
        batches(7)(),
        [[X[:9], Y[:9]], [X[9:], Y[9:]]],
        (X, Y),
        zip(X, Y, strict=True),
        Indexed(),
        [({"": X}, Y)],
        lambda: (X, Y.tolist()),
    ],
    ids=[
        "function",
        "one-batch",
        "generator",
        "lists",
        "pair",
        "samples",
        "sequence",
        "dict",
        "function-of-pair",
    ],
)
def test_however_samples_come_they_are_the_same_data(train):
    found = dataset_from_streams({"train": train, "test": (X[:4], Y[:4])}, name="streams")
    assert found.digest == whole().digest
    assert np.array_equal(np.asarray(found.validation.y), np.asarray(whole().validation.y))


def test_streams_and_arrays_stand_side_by_side():
    given = {"train": batches(5), "x_test": X[:4], "y_test": Y[:4], "x_calibration": X[3:6]}
    assert dataset_from_streams(given, name="both").digest == whole(x_calibration=X[3:6]).digest


@pytest.mark.parametrize("calibration", [X[3:6], [X[3:4], X[4:6]], [(X[3:6], Y[3:6])]])
def test_calibration_has_no_labels(calibration):
    given = {"train": (X, Y), "test": (X[:4], Y[:4]), "calibration": calibration}
    found = dataset_from_streams(given, name="streams")
    assert found.calibration[""].tolist() == X[3:6].tolist()


def test_several_inputs_go_by_their_names():
    def train():
        for at in range(0, 24, 6):
            yield {"a": X[at : at + 6], "b": Y[at : at + 6]}, Y[at : at + 6]

    arrays = arrays_from_streams({"train": train}, name="streams")
    assert sorted(arrays) == ["x_train/a", "x_train/b", "y_train"]
    assert np.array_equal(arrays["x_train/a"], X)


def test_a_generator_may_fill_the_same_array_again():
    def train():
        buffer = np.empty((1, 2), np.float32)
        for row in X:
            buffer[:] = row
            yield buffer

    assert np.array_equal(arrays_from_streams({"train": train}, name="s")["x_train"], X)


def test_text_keeps_its_letters():
    rows = [np.array([b"yes"], object), np.array([b"perhaps"], object)]
    found = arrays_from_streams({"train": rows}, name="s")["x_train"]
    assert found.tolist() == [b"yes", b"perhaps"]


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (Endless(), "without an end"),
        ([], "'train' yields nothing"),
        (5, "'train' is a int"),
        ([(X[0], Y[:1])], r"no batch: x_train: \(2,\), y_train: \(1,\)"),
        ([np.float32(1)], r"no batch: x_train: \(\)"),
        ([(X, Y, Y)], "3 things at once"),
        ([((X, X), Y)], "several inputs without their names"),
        ([(X, {"a": Y})], "several labels"),
        ([(X, (Y, Y))], "several labels"),
        ([(X, Y), X], "differ"),
        ([(X, Y), (np.ones((3, 5)), Y[:3])], r"differ: .*\(2,\).* and then .*\(5,\)"),
        ([{"a": X}, {"b": X}], "differ"),
        ([(X, [[1], [2, 3]])], "different lengths"),
        ([(np.array([{}] * 3), Y[:3])], "Python objects: dict"),
    ],
)
def test_what_is_wrong_with_a_stream_is_said(train, words):
    with pytest.raises(ConfigError, match=words):
        arrays_from_streams({"train": train}, name="streams")


def test_a_generator_that_was_read_is_no_second_stream():
    once = batches(5)()
    with pytest.raises(ConfigError, match="'test' yields nothing") as caught:
        arrays_from_streams({"train": once, "test": once}, name="streams")
    assert caught.value.hint == "A generator can be read once: give each name one of its own."


def test_an_array_and_a_stream_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="'x_train' twice"):
        arrays_from_streams({"train": (X, Y), "x_train": X}, name="streams")


def test_a_misspelt_stream_has_its_nearest_name_in_the_hint():
    with pytest.raises(ConfigError, match="unknown array 'calibraton'") as caught:
        dataset_from_streams({"train": (X, Y), "calibraton": X}, name="streams")
    assert caught.value.hint == "Did you mean 'calibration'?"


@pytest.mark.parametrize("element", [np.ones((100, 2)), np.ones((1, 1), np.int8)])
def test_a_generator_without_an_end_is_stopped(element):
    drawn = count()

    def train():
        while True:
            next(drawn)
            yield element

    with pytest.raises(ConfigError, match="does not end within half of the free memory"):
        arrays_from_streams({"train": train}, name="streams", limit_bytes=40_000)
    assert next(drawn) <= 101


def test_all_streams_share_the_limit():
    many = {key: [np.zeros(5_000, np.int8)] for key in ("train", "test", "calibration")}
    assert len(arrays_from_streams(many, name="streams", limit_bytes=20_000)) == 3
    with pytest.raises(ConfigError, match="'calibration' does not end"):
        arrays_from_streams(many, name="streams", limit_bytes=14_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal:  24684084 kB\nMemAvailable:   1024 kB\n", 1024 * 1024),
        ("MemTotal:  24684084 kB\n", float("inf")),
        (None, float("inf")),
    ],
)
def test_free_memory_is_what_linux_says(tmp_path, text, expected):
    if text is not None:
        (tmp_path / "meminfo").write_text(text)
    assert free_bytes(tmp_path / "meminfo") == expected


TENSORFLOW = """
import numpy as np
import tensorflow as tf

X = np.arange(48, dtype=np.float32).reshape(24, 2)
Y = np.arange(24)
SLICES = tf.data.Dataset.from_tensor_slices((X, Y))
TEST = SLICES.take(4)

def batched():
    return {"train": SLICES.batch(5), "test": TEST.batch(2, drop_remainder=True)}

def single():
    return {"train": SLICES, "test": TEST}

def unknown():
    return {"train": SLICES.filter(lambda x, y: True), "test": TEST}

def named():
    return {"train": SLICES.map(lambda x, y: ({"a": x, "b": y}, y)).batch(7), "test": TEST}

def text():
    return {"train": SLICES.map(lambda x, y: (tf.strings.as_string(x), y)), "test": TEST}

def repeated():
    return {"train": SLICES.batch(5).repeat(), "test": TEST}
"""

READ = """
import sys
from pathlib import Path
from edgebench.data import load_dataset
from edgebench.errors import ConfigError
for name in sys.argv[2:]:
    try:
        data = load_dataset(f"mine.py:{name}", base=Path(sys.argv[1]))
        print(data.digest, *sorted(data.train.x), next(iter(data.train.x.values())).dtype.kind)
    except ConfigError as error:
        print(error.in_full())
"""


@pytest.mark.converter
def test_datasets_of_tensorflow_are_read_batched_or_not(tmp_path):
    (tmp_path / "mine.py").write_text(TENSORFLOW)
    names = ["batched", "single", "unknown", "named", "text", "repeated"]
    argv = [sys.executable, "-c", READ, str(tmp_path), *names]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    lines = dict(zip(names, done.stdout.splitlines(), strict=True))
    assert lines["batched"] == lines["single"] == lines["unknown"] == f"{whole().digest}  f"
    assert lines["named"].endswith(" a b f")
    assert lines["text"].endswith(" S")
    assert lines["repeated"].startswith("The stream 'train' is a tf.data.Dataset without an end.")
    assert "`.take(n)`" in lines["repeated"]


def test_a_data_source_may_return_streams(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def load():\n"
        "    def train():\n"
        "        for _ in range(4):\n"
        "            yield np.ones((5, 2)), np.zeros(5, int)\n"
        "    return {'train': train, 'test': train()}\n"
    )
    found = load_dataset("mine.py:load", base=tmp_path)
    assert (found.train.samples, found.validation.samples, found.test.samples) == (18, 2, 20)
