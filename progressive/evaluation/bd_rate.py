"""How many more or fewer bytes one system takes for the quality of another (Bjøntegaard, VCEG-M33, 2001).

The curves are interpolated by monotone cubics, PCHIP, as in VCEG-BJ06, and not fitted by one polynomial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

LEAST_POINTS = 4
"""Fewer do not make a curve."""

RatePoint = tuple[float, float]
"""Rate, above zero, and quality."""


@dataclass(frozen=True, slots=True)
class BdRate:
    """A Bjøntegaard delta of rate.

    Fields:
        percent: rate of the tested over that of the anchor at equal quality, minus one, mean of the logarithms; below
            zero if the tested one needs fewer bytes.
        low, high: the qualities over which it is taken: those that both reach.
    """

    percent: float
    low: float
    high: float


def bd_rate(tested: Sequence[RatePoint], anchor: Sequence[RatePoint]) -> BdRate | None:
    """Compares two curves whose rate and quality both rise strictly from point to point.

    None if either has fewer than four points of finite quality, or no quality is reached by both. Raises ValueError if
    a curve does not rise.
    """
    curves = [[(rate, quality) for rate, quality in c if math.isfinite(quality)] for c in (tested, anchor)]
    if min(map(len, curves)) < LEAST_POINTS:
        return None
    low = max(c[0][1] for c in curves)
    high = min(c[-1][1] for c in curves)
    if low >= high:
        return None
    return BdRate(rate_difference(curves[0], curves[1], low, high), low, high)


def rate_difference(tested: Sequence[RatePoint], anchor: Sequence[RatePoint], low: float, high: float) -> float:
    """`BdRate.percent` over the qualities from `low` to `high`, which both curves reach, or at one quality.

    Raises ValueError if a curve does not rise strictly.
    """
    logarithms = [_log_rate(c) for c in (tested, anchor)]
    if low == high:
        means = [float(rate(low)) for rate in logarithms]
    else:
        means = [float(rate.integrate(low, high)) / (high - low) for rate in logarithms]
    return 100 * math.expm1(means[0] - means[1])


def decibels(similarity: float) -> float:
    """MS-SSIM on a scale of decibels, -10 log10(1 - s); infinite for equal pictures."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def _log_rate(curve: Sequence[RatePoint]) -> PchipInterpolator:
    rates, qualities = np.asarray(curve, np.float64).T
    if not ((np.diff(rates) > 0).all() and (np.diff(qualities) > 0).all() and rates[0] > 0):
        raise ValueError("a curve's rates and qualities must rise from point to point")
    return PchipInterpolator(qualities, np.log(rates))
