from __future__ import annotations

import math

import numpy as np
import pytest

from progressive.evaluation.bd_rate import bd_rate, decibels

CURVE = [(0.1, 26.0), (0.2, 28.5), (0.3, 30.0), (0.5, 32.0), (0.8, 34.0)]


@pytest.mark.parametrize("factor", [1.1, 0.8, 2.0])
def test_a_curve_of_rates_times_a_factor_costs_just_that(factor: float) -> None:
    found = bd_rate([(rate * factor, quality) for rate, quality in CURVE], CURVE)
    assert found is not None
    assert found.percent == pytest.approx(100 * (factor - 1))
    assert (found.low, found.high) == (26.0, 34.0)


def test_lines_in_log_rate_differ_by_the_mean_over_the_qualities_that_both_reach() -> None:
    """ln R = q / 10 against ln R = q / 5 - 3 from q = 31 to 35: their difference is 3 - q / 10, its mean -0.3."""
    tested = [(math.exp(q / 10), q) for q in (29.0, 31.0, 33.0, 35.0)]
    anchor = [(math.exp(q / 5 - 3), q) for q in (31.0, 33.0, 35.0, 37.0)]
    found = bd_rate(tested, anchor)
    assert found is not None
    assert (found.low, found.high) == (31.0, 35.0)
    assert found.percent == pytest.approx(100 * (math.exp(-0.3) - 1))


def test_swapping_the_curves_inverts_the_ratio() -> None:
    other = [(0.12, 26.5), (0.22, 28.0), (0.33, 30.5), (0.6, 33.0)]
    forth, back = bd_rate(other, CURVE), bd_rate(CURVE, other)
    assert forth is not None
    assert back is not None
    assert (1 + forth.percent / 100) * (1 + back.percent / 100) == pytest.approx(1)


def test_no_common_quality_or_too_few_points_have_no_rate() -> None:
    assert bd_rate([(rate, quality + 20) for rate, quality in CURVE], CURVE) is None
    assert bd_rate(CURVE[:3], CURVE) is None
    assert bd_rate([*CURVE[:3], (0.9, math.inf)], CURVE) is None


def test_a_curve_that_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        bd_rate([*CURVE, (0.9, 33.0)], CURVE)


def test_ms_ssim_in_decibels() -> None:
    assert np.allclose([decibels(s) for s in (0.0, 0.9, 0.99)], [0, 10, 20])
    assert decibels(1.0) == math.inf
