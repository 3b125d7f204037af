import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.keras.ties import FREE, Ties

COUNT = 30
PAIRS = st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=60)


def lowest_by_walking(pairs):
    """The lowest number that each can be reached from, one pair at a time."""
    labels = list(range(COUNT))
    changed = True
    while changed:
        changed = False
        for one, other in pairs:
            low = min(labels[one], labels[other])
            changed |= {labels[one], labels[other]} != {low}
            labels[one] = labels[other] = low
    return labels


def tied(pairs):
    ties = Ties()
    ties.number(COUNT)
    ties.tie(np.array([one for one, _ in pairs], int), np.array([o for _, o in pairs], int))
    return ties


@given(pairs=PAIRS)
def test_a_unit_is_all_that_is_tied_however_far_around(pairs):
    assert tied(pairs).units().tolist() == lowest_by_walking(pairs)


def test_a_long_chain_is_one_unit():
    assert not tied([(i, i + 1) for i in reversed(range(COUNT - 1))]).units().any()


@given(pairs=PAIRS, held=st.sets(st.integers(0, COUNT - 1)))
def test_what_is_tied_to_a_held_channel_is_held(pairs, held):
    ties = tied(pairs)
    ties.hold(np.array(sorted(held), int), "it is held")
    units = ties.units()
    which, _ = ties.held(units)
    stays = {units[channel] for channel in held}
    assert [reason != FREE for reason in which] == [unit in stays for unit in units]


def test_the_first_reason_is_told_but_an_end_before_all():
    ties = Ties()
    channels = ties.number(3)
    ties.hold(channels[:2], "first")
    ties.hold(channels, "second")
    ties.end(channels[:1], "end")
    which, reasons = ties.held(ties.units())
    assert [reasons[index] for index in which] == ["end", "first", "second"]
