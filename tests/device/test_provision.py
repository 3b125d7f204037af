import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.files import deliver, run_script
from edgebench.device.jobs import clean, start, wait
from edgebench.device.provision import provision
from edgebench.device.releases import Release, boards, fitting
from edgebench.device.replay import ReplayTransport
from edgebench.device.trees import BY_SHELL, UNPACK, by_python
from edgebench.device.wheels import MANIFEST, bundle_for, needs_of, pack, platform_tags
from edgebench.errors import DeviceError
from edgebench.runner import RunnerJob
from tests.conftest import miss
from tests.device.boards import replayed_device


@pytest.fixture
def bare(board, tmp_path):
    """The board with nothing but a system Python, and a work folder whose name is an ugly one."""
    (python,) = [p for p in board.facts["pythons"] if p["executable"] == "/usr/bin/python3"] or [
        None
    ]
    if python is None:
        miss("no /usr/bin/python3 on this machine")
    if any(python["packages"].values()):
        miss("the system's Python has numpy or a runtime already")
    folder = board.work_folder / f'it\'s "bare" $HOME {tmp_path.name}'
    yield replace(board, work_folder=folder)
    board.transport.run(["rm", "-rf", str(folder)])


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime", "tflite-runtime"])
def test_a_bare_python_behind_ssh_is_given_a_runtime_that_runs(bare, wheels, runtime, tmp_path):
    python = boards(bare.facts)[0].python
    if runtime == "tflite-runtime" and python >= (3, 12):
        pytest.skip("tflite-runtime ends at Python 3.11")
    words: list[str] = []
    launch = provision(bare, runtime, cache=wheels, progress=words.append)
    assert "wheels of" in launch.how
    assert [word for word in words if "sending" in word]
    words.clear()
    assert provision(bare, runtime, cache=wheels, progress=words.append) == launch
    assert words == []
    (tmp_path / "text").write_text("this is no model\n" * 100)
    model = deliver(bare, tmp_path / "text")
    job = RunnerJob(kind="outputs", model=str(model), runtime=runtime)
    running = start(bare, launch, job, name="check")
    wait(bare, running, timeout_s=60)
    done = bare.transport.run(["cat", f"{running.folder}/result.json"])
    answer = json.loads(done.stdout)
    # It takes the runtime itself, loaded on the board, to say so: else it were no_runtime.
    assert (answer["status"], answer["reason"]) == ("failed", "runtime_error")
    clean(bare, running)


def test_a_model_runs_on_a_board_that_had_nothing(bare, wheels):
    found = sorted(Path("/usr/share").glob("*/**/test_relu/model.onnx")) or miss(
        "no libonnx-testdata"
    )
    launch = provision(bare, "onnxruntime", cache=wheels, progress=lambda words: None)
    job = RunnerJob(kind="outputs", model=str(deliver(bare, found[0])), runtime="onnxruntime")
    running = start(bare, launch, job, name="relu")
    assert wait(bare, running, timeout_s=60).exit_code == 0
    done = bare.transport.run(["cat", f"{running.folder}/result.json"])
    answer = json.loads(done.stdout)
    assert answer["status"] == "ok"
    assert answer["runtime_version"] in launch.how
    clean(bare, running)


def test_what_the_board_has_itself_is_taken(here, wheels):
    launch = provision(here, "onnxruntime", cache=wheels, progress=pytest.fail)
    assert "the board's own onnxruntime" in launch.how
    assert launch.env["PYTHONPATH"] == ""
    assert launch.env["ORT_DISABLE_TELEMETRY"] == "1"


def test_an_installed_runtime_that_does_not_load_is_not_taken(here, wheels, tmp_path):
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *"import numpy"*) exit 1;; esac\n'
        f'exec {boards(here.facts)[0].executable} "$@"\n'
    )
    python.chmod(0o755)
    (listed,) = here.facts["pythons"]
    broken = replace(here, facts={**here.facts, "pythons": [{**listed, "executable": str(python)}]})
    with pytest.raises(DeviceError, match="does not load there"):
        provision(broken, "tflite-runtime", cache=wheels, progress=lambda words: None)


@pytest.mark.parametrize(
    ("name", "runtime", "words"),
    [
        ("no-python", "litert", "no Python 3"),
        ("jetson-nano-jetpack4", "litert", "only Python 3.6.9"),
        ("jetson-xavier-nx-jetpack5", "litert", "needs glibc 2.34, the board has 2.31"),
        ("no-python", "litert-native", "has no aarch64/"),
        ("pi3-32-bit-without-numpy", "tflite-runtime", "the board must have it itself"),
        ("riscv", "onnxruntime", "no wheel for riscv64"),
        ("noexec", "litert", "mounted noexec"),
        ("riscv", "onnxruntime-native", "onnxruntime has no C library for riscv64"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_fetched_or_sent(
    name, runtime, words, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGEBENCH_SYSROOT", str(tmp_path / "empty"))
    device = replayed_device(name, tmp_path)
    with pytest.raises(DeviceError, match=words) as caught:
        provision(device, runtime, cache=tmp_path / "cache", progress=pytest.fail)
    assert caught.value.hint
    assert not (tmp_path / "cache").exists()
    assert isinstance(device.transport, ReplayTransport)
    assert device.transport.pushed == {}


def fitted(runtime, board):
    release = fitting(runtime, board)
    assert isinstance(release, Release)
    return release


def test_wheels_for_another_machine_are_fetched_and_judged_by_their_libraries(wheels, tmp_path):
    (board,) = boards(replayed_device("pi4-bookworm", tmp_path).facts)
    release = fitted("litert", board)
    bundle = bundle_for(release, board, cache=wheels, progress=lambda words: None)
    assert bundle.contents == "ai-edge-litert 2.3.0, numpy 2.4.6"
    needs = json.loads(bundle.archive.with_suffix(".json").read_text())
    assert (needs["GLIBC"], needs["GLIBCXX"]) == ("2.34", "3.4.30")
    old = replace(board, glibc=(2, 31))
    with pytest.raises(DeviceError, match=r"need GLIBC_2\.34, the board has GLIBC_2\.31"):
        bundle_for(release, old, cache=wheels, progress=pytest.fail)


def test_a_wheel_that_is_not_there_is_told_in_pips_words(tmp_path):
    (board,) = boards(replayed_device("pi4-bookworm", tmp_path).facts)
    release = replace(fitted("litert", board), version="0.0.0")
    with pytest.raises(DeviceError, match=r"pip fetches no ai-edge-litert==0\.0\.0 for aarch64"):
        bundle_for(release, board, cache=tmp_path, progress=lambda words: None)
    assert list((tmp_path / "runtimes").iterdir()) == []


def test_an_archive_depends_on_its_files_only(tmp_path):
    for name in ("a", "b"):
        tree = tmp_path / name
        (tree / "sub").mkdir(parents=True)
        (tree / "sub" / "file.py").write_text("x = 1\n")
        (tree / "__pycache__").mkdir()
        (tree / "__pycache__" / "file.pyc").write_text(name)
        os.utime(tree / "sub" / "file.py", (1, 1) if name == "a" else (2, 2))
    assert pack(tmp_path / "a") == pack(tmp_path / "b")


def test_an_archive_holds_a_manifest_that_sha256sum_accepts(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file name.py").write_text("x = 1\n")
    archive, out = tmp_path / "a.tgz", tmp_path / "out"
    archive.write_bytes(pack(tree))
    out.mkdir()
    subprocess.run(["tar", "-xzmf", archive, "-C", out], check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", MANIFEST], cwd=out, check=True)


def test_what_a_library_needs_is_read_out_of_it(tmp_path):
    import numpy

    needs = needs_of(Path(numpy.__file__).parent)
    assert needs["GLIBC"].startswith("2.")
    assert needs_of(tmp_path) == {}


def test_tags_reach_down_from_the_newest(tmp_path):
    (board,) = boards(replayed_device("pi4-bookworm", tmp_path).facts)
    tags = platform_tags(board)
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)


@pytest.mark.parametrize("sealed", ["shell", "python"])
def test_a_folder_that_arrives_damaged_is_not_taken(here, sealed, tmp_path):
    """The archive is whole, but a file in it is not what its manifest says."""
    sent(tmp_path / "bad.tgz", digest=b"0" * 64)
    blob = deliver(here, tmp_path / "bad.tgz")
    final = here.work_folder / "runtimes" / "bad"
    seal = BY_SHELL if sealed == "shell" else by_python(boards(here.facts)[0].argv)
    done = run_script(here, UNPACK, "unpack", str(blob), str(final), *seal)
    assert done.exit_code == 4
    assert b"f.py is not what was sent" in done.stderr
    assert not Path(final).exists()
    assert list(Path(final).parent.iterdir()) == []


def sent(path, *, digest):
    """An archive of one file, and what its hash is said to be."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in (("f.py", b"x = 1\n"), (MANIFEST, digest + b"  f.py\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    path.write_bytes(gzip.compress(raw.getvalue()))


@pytest.mark.parametrize("sealed", ["shell", "python"])
def test_a_folder_is_on_the_disk_before_it_has_its_name(here, tmp_path, sealed, monkeypatch):
    final = here.work_folder / "runtimes" / "good"
    told = tmp_path / "told"
    # In the place of what has the kernel write to its disks, for both of the seals.
    (tmp_path / "sync").write_text(f'#!/bin/sh\n[ -e "$FINAL" ] || echo before > {told}\n')
    (tmp_path / "sync").chmod(0o755)
    code = f"import os, subprocess\nos.sync = lambda: subprocess.run(['{tmp_path}/sync'])\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("FINAL", str(final))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sent(tmp_path / "good.tgz", digest=hashlib.sha256(b"x = 1\n").hexdigest().encode())
    blob = deliver(here, tmp_path / "good.tgz")
    seal = BY_SHELL if sealed == "shell" else by_python(boards(here.facts)[0].argv)
    assert run_script(here, UNPACK, "unpack", str(blob), str(final), *seal).exit_code == 0
    assert (Path(final) / "f.py").read_text() == "x = 1\n"
    assert told.read_text() == "before\n"


def test_nothing_of_a_wheel_is_lost_that_an_import_needs(bare, wheels):
    launch = provision(bare, "onnxruntime", cache=wheels, progress=lambda words: None)
    code = "import numpy.random, numpy.linalg, numpy.fft, numpy.ma; print(numpy.savez)"
    variables = [f"{key}={value}" for key, value in launch.env.items()]
    done = bare.transport.run(["env", *variables, launch.argv[0], "-s", "-c", code])
    assert done.exit_code == 0, done.stderr


def test_a_bundle_is_smaller_than_its_wheels(wheels, tmp_path):
    (board,) = boards(replayed_device("pi4-bookworm", tmp_path).facts)
    bundle = bundle_for(fitted("litert", board), board, cache=wheels, progress=lambda words: None)
    names = subprocess.run(
        ["tar", "-tzf", bundle.archive], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert "ai_edge_litert/interpreter.py" in names
    assert not [n for n in names if "WebGpu" in n or "/tests/" in n or "/aot/" in n]
    assert not zipfile.is_zipfile(bundle.archive)
    assert PurePosixPath(MANIFEST).name in names
