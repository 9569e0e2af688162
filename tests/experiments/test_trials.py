import math

import numpy as np
import pytest
from materials import chain, star

from experiments.case import TIMES
from experiments.deliveries.schedule import Delivered
from experiments.trials import Clock, joined, outcome_of

CLOCK = Clock(deadline_s=10.0, last_arrival_s=10.5)


def delivered(*there_s: list[float]) -> Delivered:
    count = len(there_s)
    return Delivered(np.array(there_s), np.full(count, 3000.0), np.zeros(count))


def test_quality_over_time_is_a_step_at_each_picture() -> None:
    outcome = outcome_of(chain(3, decode_s=0.5), delivered([1.0, 2.0, 4.0]), CLOCK)
    # 0 dB until 1.5 s, 10 until 2.5, 20 until 4.5, then 30
    assert outcome.area[0] == pytest.approx((10 * 1 + 20 * 2 + 30 * 5.5) / 10)
    assert outcome.psnr[0] == pytest.approx(30)
    assert (outcome.first_s[0], outcome.recognisable_s[0]) == (1.5, 4.5)
    times = np.linspace(0, 10, TIMES)
    expected = np.select([times < 1.5, times < 2.5, times < 4.5], [0, 10, 20], 30)
    np.testing.assert_allclose(outcome.psnr_over_time, expected, atol=1e-9)


def test_the_picture_is_grey_where_nothing_came() -> None:
    outcome = outcome_of(star(2), delivered([math.inf, 1.0, 1.0]), CLOCK)
    assert outcome.psnr[0] == outcome.area[0] == pytest.approx(10 * math.log10(255**2 * 300 / 100))
    assert not outcome.shown[0]
    assert not outcome.base_complete[0]
    assert outcome.first_s[0] == outcome.recognisable_s[0] == math.inf


def test_what_comes_too_late_does_not_count() -> None:
    outcome = outcome_of(chain(2), delivered([1.0, 10.5], [1.0, 10.51]), CLOCK)
    assert outcome.psnr.tolist() == pytest.approx([20, 10])
    assert outcome.area.tolist() == pytest.approx([9, 9])


def test_a_first_picture_may_take_several_packets() -> None:
    outcome = outcome_of(chain(3, first_picture=2), delivered([1.0, 2.0, 3.0], [1.0, math.inf, 3.0]), CLOCK)
    assert outcome.shown.tolist() == [True, False]
    assert outcome.first_s.tolist() == [2.0, math.inf]


def test_trials_are_independent_of_their_company() -> None:
    rng = np.random.default_rng(3)
    there_s = np.where(rng.random((40, 5)) < 0.3, math.inf, rng.random((40, 5)) * 12)
    material = star(4)
    whole = outcome_of(material, delivered(*there_s.tolist()), CLOCK)
    parts = joined([outcome_of(material, delivered(*part.tolist()), CLOCK) for part in (there_s[:7], there_s[7:])])
    for name in ("psnr", "ms_ssim", "area", "shown", "base_complete", "first_s", "recognisable_s", "sent_bytes"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()
    np.testing.assert_allclose(whole.psnr_over_time, parts.psnr_over_time)


def test_the_area_is_that_under_quality_over_time() -> None:
    rng = np.random.default_rng(4)
    there_s = np.where(rng.random((500, 5)) < 0.3, math.inf, rng.random((500, 5)) * 12)
    outcome = outcome_of(star(4), delivered(*there_s.tolist()), CLOCK)
    # steps are moved up to a tenth of a second later: at most 1 % of the whole rise of 10 dB
    assert outcome.psnr_over_time[:-1].mean() == pytest.approx(outcome.area.mean(), abs=0.1)
