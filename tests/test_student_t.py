"""Student's t, against scipy."""

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.student_t import t_quantile


@pytest.mark.parametrize("share", [0.6, 0.9, 0.95, 0.975, 0.995, 0.9995])
@pytest.mark.parametrize("dof", [*range(1, 31), 60, 120, 399, 400, 401, 1000, 10_000])
def test_the_quantile_is_that_of_scipy(share, dof):
    assert t_quantile(share, dof) == pytest.approx(stats.t.ppf(share, dof), rel=1e-6)


def test_below_the_middle_it_is_the_mirror():
    assert t_quantile(0.025, 7) == -t_quantile(0.975, 7)


@pytest.mark.parametrize(("share", "dof"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_what_is_no_distribution_is_refused(share, dof):
    with pytest.raises(ValueError, match="must be"):
        t_quantile(share, dof)
