"""The presets, and the order within a block."""

from collections import Counter
from dataclasses import fields

import pytest

from edgebench.measure.protocol import PRESETS, block_order, loop_of
from edgebench.runner import Loop

KEYS = ("a", "b", "c", "d")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_followed(name):
    preset = PRESETS[name]
    assert preset.preset == name
    assert 2 <= preset.blocks_min <= preset.blocks_max
    assert preset.warmup_min_s < preset.warmup_max_s
    assert preset.sample_min_s < preset.sample_max_s < preset.timeout_s
    assert preset.memory_processes >= 1
    # Fewer would leave the 90th percentile without a number.
    assert preset.blocks_min * preset.sample_min_invokes >= 64


def test_a_longer_preset_is_longer_in_everything():
    quick, standard, strict = (PRESETS[name] for name in ("quick", "standard", "strict"))
    for name in ("blocks_min", "blocks_max", "warmup_min_s", "sample_min_s", "memory_processes"):
        values = [getattr(preset, name) for preset in (quick, standard, strict)]
        assert values == sorted(values)


def test_the_runner_is_told_all_of_its_loop():
    loop = loop_of(PRESETS["standard"])
    # How many queries are timed together, the first process of a cell finds out.
    for one in (field for field in fields(Loop) if field.name != "group"):
        assert getattr(loop, one.name) == getattr(PRESETS["standard"], one.name)


def test_every_cell_runs_once_a_block():
    assert sorted(block_order(KEYS, block=0, seed=0)) == list(KEYS)


def test_the_order_is_the_same_when_asked_again_whatever_came_before():
    whole = [block_order(KEYS, block=block, seed=7) for block in range(6)]
    assert block_order(tuple(reversed(KEYS)), block=4, seed=7) == whole[4]


def test_blocks_and_seeds_are_shuffled_apart():
    assert len({block_order(KEYS, block=block, seed=0) for block in range(20)}) > 5
    assert len({block_order(KEYS, block=0, seed=seed) for seed in range(20)}) > 5


def test_no_cell_has_a_place_of_its_own():
    firsts = Counter(block_order(KEYS, block=block, seed=0)[0] for block in range(400))
    assert set(firsts) == set(KEYS)
    assert max(firsts.values()) < 140
