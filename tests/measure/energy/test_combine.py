"""One number from several runs."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Reason, Status
from edgebench.measure.energy.combine import combine, combined
from edgebench.measure.energy.estimate import estimate, judged
from edgebench.measure.energy.joules import Joules, refused
from tests.measure.energy.traces import Meter, case


def number(value, within=0.01, *reasons):
    status = Status.SUSPECT if reasons else Status.OK
    ci95 = (value * (1 - within), value * (1 + within))
    return Joules(value=value, ci95=ci95, status=status, reasons=reasons)


def test_the_value_is_the_median_and_the_interval_that_of_t_on_the_logs():
    values = [1.00, 1.02, 0.97, 1.01, 1.05]
    logs = np.log(values)
    low, high = stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs))
    found = combined([number(value, 0.001) for value in values])
    assert found.value == pytest.approx(1.01)
    assert found.ci95 == pytest.approx((np.exp(low), np.exp(high)))
    assert found.status is Status.OK


def test_the_wider_of_the_intervals_between_and_within_counts():
    found = combined([number(1.0, 0.04)] * 3)
    assert found.ci95 == pytest.approx((0.96, 1.04))


@pytest.mark.parametrize(
    ("within", "status"),
    [(0.04, Status.OK), (0.07, Status.SUSPECT), (0.11, Status.REFUSED)],
)
def test_how_wide_it_is_decides(within, status):
    found = combined([number(1.0, within)] * 3)
    assert found.status is status
    assert (found.value is None) == (status is Status.REFUSED)
    assert found.reasons == (() if status is Status.OK else (Reason.CI_NOT_MET,))


def test_runs_far_apart_are_refused_however_sure_each_is():
    assert combined([number(v, 0.001) for v in (1.0, 1.3, 0.8)]).reasons == (Reason.CI_NOT_MET,)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_runs_are_refused(count):
    assert combined([number(1.0)] * count).reasons == (Reason.TOO_FEW_SAMPLES,)


def test_where_the_runs_were_refused_their_reasons_stand():
    lost = [refused(Reason.SENSOR_GAP), refused(Reason.SENSOR_GAP), refused(Reason.IDLE_DRIFT)]
    found = combined([number(1.0), number(1.0), *lost])
    assert found.value is None
    assert found.reasons == (Reason.SENSOR_GAP, Reason.IDLE_DRIFT)


def test_a_run_that_was_refused_makes_the_others_suspect():
    found = combined([number(1.0)] * 4 + [refused(Reason.SENSOR_GAP)])
    assert found.status is Status.SUSPECT
    assert found.reasons == (Reason.SENSOR_GAP,)


@pytest.mark.parametrize(("doubted", "status"), [(2, Status.OK), (3, Status.SUSPECT)])
def test_a_doubt_counts_where_half_of_the_runs_have_it(doubted, status):
    runs = [number(1.0, 0.01, Reason.NO_STEADY_STATE)] * doubted + [number(1.0)] * (5 - doubted)
    assert combined(runs).status is status


@pytest.mark.parametrize(
    ("reach", "status"),
    [(0.04, Status.OK), (0.06, Status.SUSPECT), (0.11, Status.REFUSED)],
)
def test_a_single_run_is_judged_by_its_width(reach, status):
    assert judged(1.0, reach, ()).status is status


def runs_of(*seeds, **changes):
    cases = [case(Meter(noise_ratio=0.02, **changes), seed=seed) for seed in seeds]
    return cases[0], [estimate(one.trace, one.run) for one in cases]


def test_five_healthy_runs_give_the_truth():
    truth, runs = runs_of(1, 2, 3, 4, 5)
    found = combine(runs)
    assert found.gross_j.value == pytest.approx(truth.gross_j, rel=0.01)
    assert found.dynamic_j.value == pytest.approx(truth.dynamic_j, rel=0.01)
    assert found.gross_j.status is Status.OK
    assert (found.runs, found.inferences) == (5, 5000)


def test_different_meters_are_not_combined():
    _, one = runs_of(1, 2)
    _, other = runs_of(3, kind="counter")
    assert combine([*one, *other]).gross_j.reasons == (Reason.INCOMPARABLE,)


def test_different_rails_are_not_combined():
    from dataclasses import replace

    _, runs = runs_of(1, 2, 3)
    changed = [replace(runs[0], rails=("board", "fan")), *runs[1:]]
    assert combine(changed).dynamic_j.reasons == (Reason.RAIL_SET_CHANGED,)


def test_no_runs_are_a_mistake():
    with pytest.raises(ValueError, match="no runs"):
        combine([])
