"""Student's t distribution for whole degrees of freedom, without scipy on the user's machine."""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

# Beyond this the expansion below is right to more digits than a table prints.
SERIES_MAX: Final = 400


def t_quantile(share: float, dof: int) -> float:
    """The t that a share of the distribution lies below.

    >>> round(t_quantile(0.975, 4), 4)
    2.7764
    """
    if dof < 1 or not 0 < share < 1:
        msg = f"share is {share!r} and dof {dof!r}; they must be in (0, 1) and at least 1."
        raise ValueError(msg)
    if share < 0.5:
        return -t_quantile(1 - share, dof)
    return _expanded(share, dof) if dof > SERIES_MAX else _bisected(share, dof)


@lru_cache(maxsize=1024)
def _bisected(share: float, dof: int) -> float:
    low, high = 0.0, 1.0
    while _share_below(high, dof) < share:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _share_below(middle, dof) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_share_below(t: float, dof: int) -> float:
    """Which share of the distribution lies below `t`; its error is that of a sum of `dof` terms.

    >>> round(t_share_below(2.7764, 4), 4)
    0.975
    """
    return _share_below(t, dof) if math.isfinite(t) else float(t > 0)


def _share_below(t: float, dof: int) -> float:
    """Abramowitz and Stegun, 26.7.3 and 26.7.4: a finite sum where `dof` is whole."""
    angle = math.atan(t / math.sqrt(dof))
    cosine = math.cos(angle)
    is_odd = dof % 2 == 1
    term = cosine if is_odd else 1.0
    total = term if dof > 1 else 0.0
    for k in range(3 if is_odd else 2, dof - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    within = math.sin(angle) * total
    if is_odd:
        within = 2 / math.pi * (angle + within)
    return (1 + within) / 2


def _expanded(share: float, dof: int) -> float:
    """Cornish and Fisher's expansion around the normal quantile; A&S 26.7.5."""
    x = NormalDist().inv_cdf(share)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / dof + second / dof**2 + third / dof**3
