import pytest

from edgebench.compress.factor import check_factor, method_of, read_factor
from edgebench.compress.linalg.ranks import RankRule
from edgebench.core import Step
from edgebench.errors import ConfigError


def step(name, value, **options):
    return Step(name=name, value=value, options=options)


@pytest.mark.parametrize(
    ("said", "rule", "method"),
    [
        (step("lowrank", "50 %"), RankRule(kind="share", amount=0.5), "channel"),
        (step("lowrank", 16, kind="spatial"), RankRule(kind="fixed", amount=16), "spatial"),
        (step("lowrank", "16"), RankRule(kind="fixed", amount=16), "channel"),
        (step("tucker", "evbmf"), RankRule(kind="evbmf"), "tucker"),
        (step("cp", "energy 0.9", skip=["stem"]), RankRule(kind="energy", amount=0.9), "cp"),
    ],
)
def test_rank_and_method_are_read(said, rule, method):
    own, _ = read_factor(said)
    assert (own.rank, own.method) == (rule, method)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (step("lowrank", "half"), "There is no 'lowrank half'"),
        (step("lowrank", 0), "There is no 'lowrank 0'"),
        (step("lowrank", True), "There is no 'lowrank True'"),
        (step("lowrank", "0 %"), "There is no 'lowrank 0 %'"),
        (step("tucker", "energy 2"), "There is no 'tucker energy 2'"),
        (step("lowrank", 4, kind="filter"), "'lowrank' has no kind = 'filter'"),
        (step("tucker", 4, kind="channel"), "'tucker' has no option kind = 'channel'"),
        (step("cp", 4, keep=["zeros"]), "'cp' has no option keep"),
    ],
)
def test_other_words_are_refused(said, words):
    with pytest.raises(ConfigError, match=words):
        check_factor(said)


@pytest.mark.parametrize(
    ("name", "dense", "convolution"),
    [("lowrank", "dense", "channel"), ("tucker", None, "tucker"), ("cp", None, "cp")],
)
def test_only_low_rank_is_for_dense_layers(name, dense, convolution):
    own, _ = read_factor(step(name, 4))
    assert method_of(own, is_dense=True) == dense
    assert method_of(own, is_dense=False) == convolution
