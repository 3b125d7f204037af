"""A file is whole or not there, and what the system refuses is said in its words."""

import resource

import numpy as np
import pytest

from edgebench.errors import NotDone
from edgebench.results.files import write_json, written


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")

    def write():
        with written(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def full():
    """No file may grow beyond a few bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# numpy 2.1 leaves its archive to the garbage collector, which finds the file closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "fill",
    [
        lambda file: file.write(bytes(100_000)),
        lambda file: np.savez_compressed(file, a=np.arange(100_000)),
    ],
    ids=["bytes", "arrays"],
)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, full, fill):
    path = tmp_path / "a.npz"

    def write():
        with written(path) as file:
            fill(file)

    with pytest.raises(NotDone, match=r"a\.npz' cannot be written: File too large"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path):
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(NotDone, match="directory"):
        write_json(tmp_path / "dir.csv", {})
    assert [path.name for path in tmp_path.iterdir()] == ["dir.csv"]


def test_a_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []
