"""Whether outputs are those of a reference, and when they are wrong."""

import numpy as np
import pytest

from edgebench.core import Agreement
from edgebench.errors import JobFailed
from edgebench.measure.agreement import agreement, is_wrong

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(50, 10)).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def test_equal_outputs_agree_wholly():
    found = agreement({"y": LOGITS}, {"y": LOGITS})
    assert found.cosine == pytest.approx(1.0)
    assert (found.max_abs, found.top1, found.samples) == (0.0, 1.0, 50)


def test_the_largest_distance_is_in_the_unit_of_the_output():
    other = LOGITS.copy()
    other[3, 4] += 2.5
    assert agreement({"y": other}, {"y": LOGITS}).max_abs == pytest.approx(2.5)


def test_the_worst_output_counts():
    reference = {"a": LOGITS, "b": PROBABILITIES}
    found = agreement({"a": -LOGITS, "b": PROBABILITIES}, reference)
    assert found.cosine == pytest.approx(-1.0)
    assert found.top1 == 1.0


def test_only_probabilities_are_classes_where_there_are_several_outputs():
    boxes = RANDOM.normal(size=(50, 4)) * 100
    reference = {"boxes": boxes, "scores": PROBABILITIES}
    assert agreement({"boxes": -boxes, "scores": PROBABILITIES}, reference).top1 == 1.0
    assert agreement({"b": boxes, "c": boxes}, {"b": boxes, "c": boxes}).top1 is None


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 5, 2)])
def test_what_is_no_vector_of_classes_has_no_best_class(shape):
    array = RANDOM.normal(size=shape)
    assert agreement({"y": array}, {"y": array}).top1 is None


def test_outputs_are_paired_by_name_then_by_shape_then_by_order():
    a, b = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(5, 4))
    reference = {"a": a, "b": b}
    assert agreement({"b": b, "a": a}, reference).max_abs == 0.0
    assert agreement({"StatefulPartitionedCall:1": b, "x": a}, reference).max_abs == 0.0
    c = RANDOM.normal(size=(5, 3))
    assert agreement({"x": a, "y": c}, {"a": a, "b": c}).max_abs == 0.0


def test_an_axis_of_one_more_is_no_difference():
    assert agreement({"y": LOGITS[:, None]}, {"y": LOGITS}).max_abs == 0.0


@pytest.mark.parametrize(
    "outputs",
    [{"y": LOGITS[:, :5]}, {"y": LOGITS[:25]}, {"z": LOGITS, "w": LOGITS}, {}],
    ids=["classes", "samples", "names", "none"],
)
def test_outputs_of_another_form_are_wrong(outputs):
    with pytest.raises(JobFailed) as failure:
        agreement(outputs, {"y": LOGITS})
    assert failure.value.reason == "wrong_output"


@pytest.mark.parametrize(
    ("ours", "theirs", "cosine"),
    [
        ([[0.0, 0.0]], [[0.0, 0.0]], 1.0),
        ([[0.0, 0.0]], [[1.0, 0.0]], 0.0),
        ([[1.0, 0.0]], [[0.0, 0.0]], 0.0),
        ([[np.nan, 1.0]], [[1.0, 1.0]], 0.0),
        ([[np.inf, 1.0]], [[1.0, 1.0]], 0.0),
        ([[np.inf, 1.0]], [[-np.inf, 1.0]], 0.0),
        ([[np.inf, 1.0]], [[np.inf, 1.0]], 1.0),
        ([[np.nan, 1.0]], [[np.nan, 1.0]], 1.0),
        ([[1e300, 1e300]], [[1e300, 1e300]], 1.0),
        ([[1e-300, 0.0]], [[1e-300, 0.0]], 1.0),
        ([[True, False]], [[True, False]], 1.0),
        (np.zeros((4, 0)), np.zeros((4, 0)), 1.0),
    ],
)
def test_the_cosine_is_always_a_number(ours, theirs, cosine):
    found = agreement({"y": np.array(ours)}, {"y": np.array(theirs)})
    assert found.cosine == pytest.approx(cosine)
    assert np.isfinite(found.max_abs)


def test_an_output_of_equal_scores_has_each_class_by_chance_only():
    found = agreement({"y": np.zeros_like(LOGITS)}, {"y": LOGITS})
    assert found.top1 == pytest.approx(0.1)


def made(cosine, top1=None, samples=100):
    return Agreement(cosine=cosine, max_abs=0.0, top1=top1, samples=samples)


# The figures of the README: what healthy kernels reached, and what the broken ones did.
@pytest.mark.parametrize(
    ("fidelity", "is_quantized", "expected"),
    [
        (made(1.0, 1.0), False, False),
        (made(0.9995, 1.0), False, False),
        (made(0.99, 1.0), False, True),
        (made(0.999996, 0.9875, 200), True, False),
        (made(0.999999, 0.9925, 200), True, False),
        (made(0.99, 0.96), True, False),
        (made(0.362, 0.095, 200), True, True),
        (made(0.97, 1.0), True, True),
        (made(0.99, 0.80), True, True),
        (made(0.99, 0.90, 20), True, False),
        (made(0.99, 0.50, 19), True, False),
        (made(0.0), True, True),
        (None, True, False),
    ],
)
def test_the_same_file_must_compute_the_same(fidelity, is_quantized, expected):
    wrong, why = is_wrong(fidelity, None, is_quantized=is_quantized)
    assert wrong is expected
    assert bool(why) is expected


@pytest.mark.parametrize(
    ("cosine", "is_retrained", "expected"),
    [(0.988, False, False), (0.9958, False, False), (0.5, False, True), (0.5, True, False)],
)
def test_the_float_reference_binds_what_did_not_learn_anew(cosine, is_retrained, expected):
    wrong, _ = is_wrong(None, made(cosine), is_quantized=True, is_retrained=is_retrained)
    assert wrong is expected


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((5, 3), np.nan), "NaN or infinity"),
        (np.ones((5, 3)), "the same for every sample"),
        (np.ones((1, 3)), ""),
        (LOGITS, ""),
    ],
)
def test_what_learned_anew_is_at_least_alive(array, words):
    wrong, why = is_wrong(None, None, is_quantized=False, is_retrained=True, outputs={"y": array})
    assert wrong is bool(words)
    assert words in why


@pytest.mark.parametrize(
    ("ours", "theirs", "top1"),
    [
        ([[0, 1, 1, 0]], [[0, 1, 1, 0]], 1.0),
        ([[0, 0, 0, 0]], [[0, 0, 0, 0]], 1.0),
        ([[0, 0, 0, 0]], [[0, 9, 0, 0]], 0.25),
        ([[0, 1, 1, 0]], [[1, 1, 0, 0]], 1 / 3),
        ([[0, 2, 1, 0]], [[0, 1, 2, 0]], 0.0),
    ],
)
def test_of_tied_classes_counts_what_both_sides_share(ours, theirs, top1):
    found = agreement({"o": np.array(ours, np.float32)}, {"o": np.array(theirs, np.float32)})
    assert found.top1 == pytest.approx(top1)
