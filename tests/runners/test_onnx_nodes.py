"""A spread of ONNX's own node tests through the outputs pass; all 932 are a benchmark."""

import importlib.util
from pathlib import Path

import pytest

from tests.conftest import miss

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "onnx_node_suite.py"
SPREAD = 9


def load_suite():
    spec = importlib.util.spec_from_file_location("onnx_node_suite", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUITE = load_suite()
MODELS = SUITE.models(every=SPREAD)


def test_the_suite_is_installed():
    if not MODELS:
        miss("libonnx-testdata is not installed")
    assert len(MODELS) >= 100


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_node_agrees_with_its_reference_or_is_refused_in_words(folder, tmp_path):
    verdict, words = SUITE.try_model(folder, tmp_path)
    if verdict == "agrees":
        return
    assert words
    if verdict == "runtime_error":
        assert words.startswith(("Fail:", "NotImplemented:", "Failed: No output"))
    else:
        assert verdict in {"unsupported_input", "random", "known"}


def test_most_of_the_spread_agrees(tmp_path):
    if not MODELS:
        miss("libonnx-testdata is not installed")
    verdicts = [SUITE.try_model(folder, tmp_path / folder.name)[0] for folder in MODELS]
    assert verdicts.count("agrees") / len(verdicts) > 0.9


@pytest.mark.parametrize("name", ["test_cumsum_1d", "test_add_uint8", "test_split_equal_parts_1d"])
def test_a_process_of_its_own_computes_the_same(name, ask, tmp_path):
    folder = SUITE.NODES / name
    if not folder.is_dir():
        miss("libonnx-testdata is not installed")
    verdict, _ = SUITE.try_model(folder, tmp_path / "here")
    assert verdict == "agrees"
    _, job = ask(folder / "model.onnx", inputs=str(tmp_path / "here" / "inputs.npz"))
    whole = (job / "outputs.npz").read_bytes()
    assert whole == (tmp_path / "here" / "outputs.npz").read_bytes()
