"""What a step would destroy is refused before anything runs, and the order that works is named."""

import pytest

from edgebench.compress.sequence import EFFECTS, PROPERTIES, check_sequence
from edgebench.compress.steps import STEPS
from edgebench.core import Recipe, Step
from edgebench.errors import ConfigError

PRUNE = Step(name="prune", value="80 %")
CLUSTER = Step(name="cluster", value=16)
CLUSTER_ZEROS = Step(name="cluster", value=16, options={"keep": ["zeros"]})
INT8 = Step(name="quantize", value="int8")
FLOAT16 = Step(name="quantize", value="float16")
QAT = Step(name="quantize", value="int8", options={"aware": True})
QAT_ZEROS = Step(name="quantize", value="int8", options={"aware": True, "keep": ["zeros"]})
QAT_BOTH = Step(
    name="quantize", value="int8", options={"aware": True, "keep": ["zeros", "clusters"]}
)
FILTERS = Step(name="filters", value="50 %")
LOWRANK = Step(name="lowrank", value="50 %")
TUCKER = Step(name="tucker", value="evbmf")
CP = Step(name="cp", value=16)
SELF = Step(name="distil", value="self")
SELF_ZEROS = Step(name="distil", value="self", options={"keep": ["zeros"]})
NARROW = Step(name="distil", value="self", options={"width": 0.5})
ANOTHER = Step(name="distil", value="student.py:make")
STUDENT = Step(name="student", value="zoo:lenet")
SHARE = Step(name="share", value="identical")
SHARE_LAYERS = Step(name="share", value=["conv1", "conv2"])
FOLD_BN = Step(name="fold", value="bn")
FOLD_CONSTANTS = Step(name="fold", value="constants")
SPARSE = Step(name="sparse", value="encode")
OWN = Step(name="step", value="steps.py:mine")
OWN_TUNED = Step(name="step", value="steps.py:mine", options={"tune": "1 epoch"})


def check(*steps):
    check_sequence(Recipe(name="mine", steps=steps))


def listed(steps):
    return " > ".join(str(step) for step in steps)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (PRUNE, CLUSTER_ZEROS, QAT_BOTH),
        (LOWRANK, SELF, INT8),
        (FILTERS, SELF, INT8),
        (STUDENT, FILTERS, TUCKER, FOLD_BN, PRUNE, CLUSTER_ZEROS, INT8),
        (PRUNE, PRUNE),
        (PRUNE, FOLD_BN),
        (PRUNE, FOLD_CONSTANTS, CLUSTER_ZEROS, FOLD_CONSTANTS),
        (PRUNE, SELF_ZEROS),
        (PRUNE, CLUSTER_ZEROS, SHARE),
        (SHARE, PRUNE, CLUSTER_ZEROS),
        (SHARE, SELF),
        (PRUNE, INT8),
        (PRUNE, FLOAT16),
        (CLUSTER, INT8),
        (PRUNE, QAT_ZEROS),
        (NARROW, INT8),
        (ANOTHER, LOWRANK, CP),
        (PRUNE, SPARSE),
        (PRUNE, CLUSTER_ZEROS, OWN, SPARSE),
        (OWN, CLUSTER_ZEROS),
        (OWN, SPARSE),
        (PRUNE, OWN, QAT_ZEROS),
    ],
    ids=listed,
)
def test_an_order_in_which_nothing_is_lost_is_taken(steps):
    check(*steps)


@pytest.mark.parametrize(
    ("steps", "words", "hint"),
    [
        ((PRUNE, CLUSTER), "'cluster 16' would destroy the zeros that 'prune 80 %'", '["zeros"]'),
        ((PRUNE, QAT), "destroy the zeros", '["zeros"]'),
        ((CLUSTER, QAT), "destroy the clusters", '["clusters"]'),
        ((PRUNE, CLUSTER_ZEROS, QAT_ZEROS), "destroy the clusters", '["zeros", "clusters"]'),
        ((PRUNE, SELF), "destroy the zeros", '["zeros"]'),
        ((PRUNE, OWN_TUNED), "destroy the zeros", '["zeros"]'),
        ((CLUSTER, PRUNE), "destroy the clusters", "An order that works"),
        ((CLUSTER, CLUSTER), "destroy the clusters", "An order that works"),
        ((CLUSTER, FOLD_BN), "destroy the clusters", "fold bn; prune; cluster"),
        ((SHARE, LOWRANK), "destroy the shared weights", "An order that works"),
        ((PRUNE, SHARE_LAYERS), "destroy the zeros that 'prune 80 %'", "share; fold bn; prune"),
        ((TUCKER, STUDENT), "destroy the smaller layers that 'tucker evbmf'", "student, filters"),
        ((FILTERS, ANOTHER), "destroy the smaller layers", "An order that works"),
        *(
            ((maker, step), f"{str(step)!r} would destroy", "An order that works")
            for maker in (PRUNE, CLUSTER)
            for step in (FILTERS, LOWRANK, TUCKER, CP, NARROW, ANOTHER, STUDENT)
        ),
    ],
    ids=lambda value: listed(value) if isinstance(value, tuple) else "",
)
def test_what_a_step_would_destroy_is_named_with_what_to_do(steps, words, hint):
    with pytest.raises(ConfigError) as caught:
        check(*steps)
    assert words in str(caught.value)
    assert str(caught.value).startswith("'mine': ")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "step", [INT8, FLOAT16, QAT, PRUNE, FOLD_CONSTANTS, SELF, SPARSE, OWN], ids=str
)
@pytest.mark.parametrize("last", [INT8, FLOAT16, QAT], ids=str)
def test_nothing_follows_a_quantization(last, step):
    with pytest.raises(ConfigError, match="cannot follow 'quantize"):
        check(last, step)


@pytest.mark.parametrize("step", [PRUNE, FOLD_CONSTANTS, SPARSE, OWN], ids=str)
def test_nothing_follows_the_sparse_encoding(step):
    with pytest.raises(ConfigError, match="cannot follow 'sparse encode'"):
        check(PRUNE, SPARSE, step)


@pytest.mark.parametrize("form", [INT8, FLOAT16, QAT], ids=str)
def test_the_sparse_encoding_is_not_for_quantized_weights(form):
    with pytest.raises(ConfigError, match="is for float weights"):
        check(PRUNE, SPARSE, form)


def test_what_is_encoded_must_have_been_pruned():
    with pytest.raises(ConfigError, match="no step before it makes any"):
        check(FOLD_BN, SPARSE)


@pytest.mark.parametrize("step", [CLUSTER_ZEROS, QAT_ZEROS, SELF_ZEROS], ids=str)
def test_what_nobody_made_cannot_be_kept(step):
    with pytest.raises(ConfigError, match="keeps zeros, but no step before it made any"):
        check(FOLD_BN, step)


@pytest.mark.parametrize(
    ("name", "kept"), [("cluster", "clusters"), ("lowrank", "zeros"), ("filters", "zeros")]
)
def test_a_step_cannot_promise_to_keep_what_it_destroys(name, kept):
    step = Step(name=name, value=16, options={"keep": [kept]})
    with pytest.raises(ConfigError, match=f"cannot keep {kept!r}"):
        check(PRUNE, step)


def test_every_step_has_its_effect():
    assert [name for name in STEPS if name not in EFFECTS] == []


def test_effects_speak_of_what_there_is():
    named = {n for e in EFFECTS.values() for n in e.makes | e.destroys | e.can_keep}
    assert named == set(PROPERTIES)
    # What must be kept by a word must be destroyed without it, or survive it.
    assert all(e.can_keep <= {"zeros", "clusters"} for e in EFFECTS.values())
