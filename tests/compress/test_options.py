from dataclasses import dataclass
from typing import Any

import pytest

from edgebench.compress.cluster import read_cluster
from edgebench.compress.distil import read_distil, read_student
from edgebench.compress.options import PICKING, TUNING, Common, Share, Tune, read_options
from edgebench.compress.own import check_own, passed_on
from edgebench.compress.prune import Pattern, masks_of, read_prune
from edgebench.core import Step
from edgebench.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Halve:
    share: Share
    deep: bool = False


def read(value, **options):
    step = Step(name="halve", value=value, options=options)
    return read_options(step, Halve, value="share", common=TUNING | PICKING)


def test_value_and_options_are_read_into_two_values():
    own, common = read("50 %", tune="3 epochs", skip="a.*", deep=True)
    assert own == Halve(share=0.5, deep=True)
    assert common == Common(tune=Tune(epochs=3), skip=("a.*",))


@pytest.mark.parametrize(
    ("value", "options", "words", "hint"),
    [
        ("half", {}, "no 'halve half': a share is written as '80 %'", "README"),
        ("100 %", {}, "at least 0 and below 100", "README"),
        (50, {}, "a share is written", "README"),
        ("50 %", {"tunes": "1 epoch"}, "no option tunes", "Did you mean 'tune'"),
        ("50 %", {"keep": ["zeros"]}, "no option keep", "Options: batch, deep"),
        ("50 %", {"tune": "3"}, "no tune = '3': training is written as '3 epochs'", "README"),
        ("50 %", {"tune": "0 epochs"}, "training is written", "README"),
        ("50 %", {"seed": True}, "no seed = True: a number", "README"),
        ("50 %", {"only": []}, "a list of regular expressions", "README"),
        ("50 %", {"skip": "(("}, "'((' is no regular expression", "README"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_key(value, options, words, hint):
    with pytest.raises(ConfigError) as caught:
        read(value, **options)
    assert words in str(caught.value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("none", Pattern()),
        ("1:4", Pattern(keep=1, group=4)),
        ("block 4x1", Pattern(block=(4, 1))),
    ],
)
def test_a_pattern_is_words(text, pattern):
    share = "75 %"
    step = Step(name="prune", value=share, options={"pattern": text})
    assert read_prune(step)[0].pattern == pattern


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pattern": "4:2"}, "a pattern is"),
        ({"pattern": "block"}, "a pattern is"),
        ({"pattern": "2:4"}, "sets 50% to zero"),
        ({"pattern": "1:4", "scope": "layer"}, "leaves each layer just as many"),
        ({"pattern": "block 2x2", "scope": "sensitivity"}, "not by blocks"),
        ({"scope": "net"}, "no scope = 'net'"),
    ],
)
def test_a_pruning_that_contradicts_itself_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        read_prune(Step(name="prune", value="75 %", options=options))


def test_pruning_nothing_is_refused():
    with pytest.raises(ConfigError, match="sets no weight"):
        read_prune(Step(name="prune", value="0 %"))


def test_masks_follow_scope_and_pattern():
    import numpy as np

    even, peaked = np.full((4, 2), 0.1, np.float32), np.full((4, 2), 9.0, np.float32)
    peaked[0, 0] = 900
    for options, kept in (
        ({}, [7, 1]),
        ({"scope": "layer"}, [4, 4]),
        ({"pattern": "2:4"}, [4, 4]),
        ({"pattern": "block 2x2"}, [4, 4]),
    ):
        own, _ = read_prune(Step(name="prune", value="50 %", options=options))
        masks = masks_of(own, [even, peaked], own.share)
        assert [int(mask.sum()) for mask in masks] == kept


@pytest.mark.parametrize(("values", "words"), [(1, "no codebook"), (257, "256"), ("x", "integer")])
def test_a_codebook_has_between_two_and_256_values(values, words):
    with pytest.raises(ConfigError) as caught:
        read_cluster(Step(name="cluster", value=values))
    assert words in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        ("self", {}, "does not say how long"),
        ("zoo:nothing", {"tune": "1 epochs"}, "no model 'nothing'"),
        ("student", {"tune": "1 epochs"}, "no 'distil student'"),
        ("self", {"tune": "1 epochs", "alpha": 2}, "alpha"),
        ("self", {"tune": "1 epochs", "width": 0}, "width"),
        ("self", {"tune": "1 epochs", "features": ["a"]}, "features"),
    ],
)
def test_a_distillation_that_cannot_be_is_refused(value, options, words):
    with pytest.raises(ConfigError, match=words):
        read_distil(Step(name="distil", value=value, options=options))


def test_a_student_of_the_users_must_say_how_long_it_learns():
    with pytest.raises(ConfigError, match="how long"):
        read_student(Step(name="student", value="student.py:make"))
    assert read_student(Step(name="student", value="zoo:lenet"))[1].tune is None


def test_a_step_of_the_users_is_a_function_and_gets_its_own_options():
    options: dict[str, Any] = {"tune": "1 epochs", "seed": 3, "strength": 2}
    step = Step(name="step", value="steps.py:mine", options={**options})
    check_own(step)
    assert passed_on(step) == {"strength": 2}
    with pytest.raises(ConfigError, match="no 'step steps:mine'"):
        check_own(Step(name="step", value="steps:mine"))
