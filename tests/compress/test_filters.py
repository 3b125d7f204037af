import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.filters import (
    check_filters,
    kept_by_layer,
    kept_globally,
    read_filters,
    rounded_width,
)
from edgebench.compress.recipe import parse_step
from edgebench.core import Step
from edgebench.errors import ConfigError

WIDTHS = st.lists(st.integers(1, 40), min_size=1, max_size=6)
SHARES = st.floats(0, 0.99)
MULTIPLES = st.sampled_from([1, 2, 8])
CHOICES = pytest.mark.parametrize("choose", [kept_by_layer, kept_globally])


def drawn(widths, seed=0):
    chance = np.random.default_rng(seed)
    return [chance.random(width) for width in widths]


def step(**words):
    return Step(name="filters", value=words.pop("share", "50 %"), options=words)


def test_a_share_is_enough():
    own, common = read_filters(parse_step("filters 30 %"))
    assert (own.share, own.scope, own.score, own.round) == (0.3, "layer", "group", 8)
    assert common.tune is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"share": "half"}, "'80 %'"),
        ({"share": "0 %"}, "takes no channel away"),
        ({"share": "100 %"}, "below 100"),
        ({"scope": "sensitivity"}, "scope = 'sensitivity'"),
        ({"score": "l2"}, "score = 'l2'"),
        ({"round": 0}, "round = 0"),
        ({"round": True}, "round = True"),
        ({"keep": ["zeros"]}, "no option keep"),
        ({"skip": ["("]}, "no regular expression"),
    ],
)
def test_what_the_step_does_not_know_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        check_filters(step(**words))


@given(wanted=st.floats(0, 100), width=st.integers(1, 100), multiple=st.integers(1, 16))
def test_a_width_is_the_nearest_multiple_there_is(wanted, width, multiple):
    found = rounded_width(wanted, width, multiple)
    assert 1 <= found <= width
    assert found == width or found % multiple == 0
    if found < width and wanted >= multiple:
        assert abs(found - wanted) <= multiple / 2


@CHOICES
@given(widths=WIDTHS, share=SHARES, multiple=MULTIPLES)
def test_the_best_of_every_group_stay_in_multiples(choose, widths, share, multiple):
    scores = drawn(widths)
    for own, mask in zip(scores, choose(scores, [multiple] * len(widths), share), strict=True):
        stays = int(mask.sum())
        assert stays >= min(own.size, multiple)
        assert stays == own.size or stays % multiple == 0
        assert own[mask].min() >= own[~mask].max(initial=0)


@CHOICES
@given(widths=WIDTHS, multiple=MULTIPLES)
def test_nothing_is_taken_where_nothing_is_asked(choose, widths, multiple):
    assert all(mask.all() for mask in choose(drawn(widths), [multiple] * len(widths), 0.0))


@given(widths=WIDTHS, share=st.floats(0, 0.5))
def test_without_rounding_the_share_of_all_goes(widths, share):
    masks = kept_globally(drawn(widths), [1] * len(widths), share)
    gone = sum(int((~mask).sum()) for mask in masks)
    # An eighth of every group is not in the contest, nor is its last unit.
    most = sum(width - max(1, -(-width // 8)) for width in widths)
    assert gone == min(round(share * sum(widths)), most)


def test_one_ranking_takes_from_the_group_that_has_least_to_lose():
    even, uneven = np.full(16, 1.0), np.array([1.9] * 8 + [0.1] * 8)
    masks = kept_globally([even, uneven], [8, 8], 0.25)
    assert [int(mask.sum()) for mask in masks] == [16, 8]
    assert masks[1][:8].all()


def test_of_equal_scores_the_first_stay():
    assert kept_by_layer([np.ones(16)], [8], 0.5)[0][:8].all()
