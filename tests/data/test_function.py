import hashlib
import pickle
import subprocess
import sys

import pytest

from edgebench.data import load_function, load_objects
from edgebench.errors import ConfigError

CODE = """
from dataclasses import dataclass

@dataclass
class Point:
    x: "int"

def make():
    return Point(3)

STATE = []

def count():
    STATE.append(1)
    return len(STATE)
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


def test_the_digest_is_that_of_the_file(code):
    expected = hashlib.sha256(CODE.encode()).hexdigest()
    assert load_function("mine.py:make", base=code)[1] == expected
    assert load_objects("mine.py", base=code) == expected


def test_what_a_file_defines_can_be_found_again_by_its_module(code):
    point = load_function("mine.py:make", base=code)[0]()
    assert pickle.loads(pickle.dumps(point)) == point


def test_a_file_is_imported_once(code):
    calls = [load_function("mine.py:count", base=code)[0]() for _ in range(3)]
    assert calls == [1, 2, 3]


def test_a_file_that_changed_within_a_second_is_another(code):
    assert load_function("mine.py:make", base=code)[0]().x == 3
    (code / "mine.py").write_text(CODE.replace("Point(3)", "Point(4)"))
    assert load_function("mine.py:make", base=code)[0]().x == 4


def test_nothing_is_written_beside_a_users_file(code):
    load_objects("mine.py", base=code)
    assert [path.name for path in code.iterdir()] == ["mine.py"]


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "json.py").write_text(f"def say():\n    return {name!r}\n")
    said = [load_function("json.py:say", base=tmp_path / name)[0]() for name in ("a", "b")]
    import json

    assert said == ["a", "b"]
    assert json.loads("1") == 1


def test_a_file_has_the_same_module_in_every_process(code):
    name = load_function("mine.py:make", base=code)[0].__module__
    words = (
        "import sys; from pathlib import Path; from edgebench.data import load_function;"
        "print(load_function('mine.py:make', base=Path(sys.argv[1]))[0].__module__)"
    )
    argv = [sys.executable, "-c", words, str(code)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == name


def test_a_file_that_fails_leaves_no_module_behind(tmp_path):
    (tmp_path / "mine.py").write_text("import sys\nMARK = 1\nraise RuntimeError('mine')\n")
    before = set(sys.modules)
    with pytest.raises(RuntimeError, match="mine"):
        load_objects("mine.py", base=tmp_path)
    assert not {name for name in set(sys.modules) - before if "user" in name}
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("source", "words", "hint"),
    [
        ("gone.py:f", "There is no loss 'gone.py:f': .* is no Python file", "mse, or"),
        ("mine.py:f", "has no function 'f'", "What it defines: Point, make, count."),
        ("mine.py", "is a file, and not a function in it", "What it defines: Point, make, count."),
        ("empty.py:f", "has no function 'f'", "It defines none."),
        ("broken.py:f", r"broken.py' is no Python: .*line 2", "Mend the file"),
        ("binary.py:f", "binary.py' is no Python: ", "Mend the file"),
    ],
)
def test_errors_name_what_is_meant_and_what_there_is(code, source, words, hint):
    (code / "empty.py").write_text("")
    (code / "broken.py").write_text("x = 1\nx = = 2\n")
    (code / "binary.py").write_bytes(b"x = 1\0\xff")
    with pytest.raises(ConfigError, match=words) as caught:
        load_function(source, base=code, kind="loss", hint="A loss is mse, or 'losses.py:mine'.")
    assert hint in (caught.value.hint or "")


def test_a_file_of_objects_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no file of custom objects 'gone.py'") as caught:
        load_objects("gone.py", base=tmp_path)
    assert "layers.py" in (caught.value.hint or "")


LAYERS = """
import keras

@keras.saving.register_keras_serializable(package="mine")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

@keras.saving.register_keras_serializable(package="mine")
def half(x):
    return x / 2
"""

SAVE = """
import sys
from pathlib import Path
import keras
from edgebench.data import load_function, load_objects
base = Path(sys.argv[1])
if sys.argv[2] == "save":
    twice, half = (load_function(f"layers.py:{name}", base=base)[0] for name in ("Twice", "half"))
    x = keras.Input((3,))
    y = keras.layers.Activation(half)(twice(name="twice")(x))
    keras.Model(x, y).save(base / "m.keras")
else:
    load_objects("layers.py", base=base)
    print(float(keras.models.load_model(base / "m.keras")(keras.ops.ones((1, 3)))[0, 0]))
"""


@pytest.mark.converter
def test_keras_opens_in_another_process_what_a_users_file_registers(tmp_path):
    (tmp_path / "layers.py").write_text(LAYERS)
    argv = [sys.executable, "-c", SAVE, str(tmp_path)]
    subprocess.run([*argv, "save"], capture_output=True, check=True)
    done = subprocess.run([*argv, "load"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0"]
