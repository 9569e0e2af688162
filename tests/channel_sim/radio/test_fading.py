import math

import numpy as np
import pytest
from numpy.random import SeedSequence

from channel_sim.radio.fading import FlatFading
from channel_sim.radio.settings import Nakagami, Rayleigh, Rician, TappedDelayLine, Variation
from channel_sim.radio.tapped_delay import PROFILES, TappedDelayLineFading, capacity_snr, exponential_snr
from channel_sim.radio.theory import envelope_cdf, level_crossing_rate_hz, mean_fade_duration_s, outage_probability

SUMS_OF_THE_TABLES = {
    "A": (23, 58.1474, -282.9),
    "B": (23, 34.1999, -153.8),
    "C": (24, 62.0402, -229.8),
    "D": (13, 53.226, -293.0),
    "E": (14, 53.1368, -310.16),
}
"""Taps, delays and powers in dB, added up, so that a slip in an entry shows."""

SNRS = np.array([[0.1, 3.0, 20.0, 0.0], [5.0, 5.0, 5.0, 5.0]])


def test_the_tables_are_the_standards() -> None:
    for profile, taps in PROFILES.items():
        powers = 10 ** (np.array(taps.powers_db) / 10)
        powers[0] += 0 if taps.los_db is None else 10 ** (taps.los_db / 10)
        mean = np.average(taps.delays, weights=powers)
        spread = math.sqrt(np.average((np.array(taps.delays) - mean) ** 2, weights=powers))
        assert spread == pytest.approx(1, abs=0.01), profile  # the tables are rounded: D's is 0.994
        sums = (len(taps.delays), sum(taps.delays), sum(taps.powers_db) + (taps.los_db or 0))
        assert sums == pytest.approx(SUMS_OF_THE_TABLES[profile]), profile


@pytest.mark.parametrize("effective", [capacity_snr, lambda snr, axis: exponential_snr(snr, 2.0, axis=axis)])
def test_the_effective_snr_of_a_flat_band_is_its_snr_and_of_any_other_lies_within(effective) -> None:
    uneven, flat = effective(SNRS, axis=1)
    assert flat == pytest.approx(5)
    assert 0 < uneven < SNRS[0].mean()


def test_effective_snrs_worked_out_by_hand() -> None:
    # Half the band at 3, half without signal: half the capacity of log2(4) is one bit, for which an SNR of 1 is needed.
    assert capacity_snr(np.array([0.0, 3.0]), axis=0) == pytest.approx(1)
    assert exponential_snr(np.array([0.0, 3.0]), 1.5, axis=0) == pytest.approx(-1.5 * math.log((1 + math.exp(-2)) / 2))
    # Far above beta, where exp(-snr / beta) alone would round to zero.
    assert exponential_snr(np.array([5000.0, 5000.0]), 1.0, axis=0) == pytest.approx(5000)


def test_the_line_of_sight_of_tdl_d_has_its_own_doppler_shift() -> None:
    # The mean over links of h(t) h*(0) is the steady path's rotation and the scattered ones' J0, each with its share.
    fading = TappedDelayLineFading(
        TappedDelayLine("D", variation=Variation(doppler_hz=10)), 10.0, 1e6, links=4000, seed=SeedSequence(1)
    )
    first = fading.gains(np.array([0.0, 0.0382740]))[:, 0]  # J0(2 pi 0.38274) is zero
    correlation = np.mean(first[:, 1] * first[:, 0].conj()) / np.mean(np.abs(first) ** 2)
    k = 10**1.33
    assert correlation == pytest.approx(k / (k + 1) * np.exp(2j * np.pi * 7 * 0.0382740), abs=0.02)


def test_the_strong_path_of_rician_fading_turns_with_its_angle() -> None:
    fading = FlatFading(Rician(40, los_angle_deg=60), 10.0, links=1, seed=SeedSequence(1))
    gains = fading.gains(np.array([0.0, 0.05]))[0]
    assert np.angle(gains[1] / gains[0]) == pytest.approx(2 * np.pi * 5 * 0.05, abs=0.05)


def test_a_single_link_has_no_preferred_phase_over_time() -> None:
    # The mean of h^2 would be about 1 / 8 if the paths' Doppler shifts came in opposite pairs.
    for seed in range(5):
        gains = FlatFading(Rayleigh(), 1.0, links=1, seed=SeedSequence(seed)).gains(np.arange(0, 2000, 0.1))
        assert abs(np.mean(gains**2)) < 0.02


def test_a_doppler_frequency_of_zero_stands_still() -> None:
    gains = FlatFading(Rayleigh(), 0.0, links=5, seed=SeedSequence(1)).gains(np.array([0.0, 1.0, 1e6]))
    assert gains == pytest.approx(np.repeat(gains[:, :1], 3, axis=1))


def test_closed_forms_agree_with_each_other_where_families_meet() -> None:
    rho = np.linspace(0.05, 2.5, 50)
    for other in (Rician(-40), Nakagami(1)):
        assert envelope_cdf(other, rho) == pytest.approx(envelope_cdf(Rayleigh(), rho), abs=2e-4)
        rate_hz = level_crossing_rate_hz(other, rho, 7)
        assert rate_hz == pytest.approx(level_crossing_rate_hz(Rayleigh(), rho, 7), rel=2e-3)
    # Rayleigh: (exp(rho^2) - 1) / (rho f_D sqrt(2 pi))
    expected_s = np.expm1(rho**2) / (rho * 7 * math.sqrt(2 * math.pi))
    assert mean_fade_duration_s(Rayleigh(), rho, 7) == pytest.approx(expected_s)


def test_outage_of_rayleigh_is_exponential() -> None:
    assert outage_probability(Rayleigh(), np.array([0.0, 10.0]), 10) == pytest.approx(
        [1 - math.exp(-0.1), 1 - math.exp(-1)]
    )


def test_a_strong_rician_path_does_not_overflow() -> None:
    rate_hz = level_crossing_rate_hz(Rician(40), np.array([0.5, 1.0]), 1.0)
    # About the mean the envelope is Gaussian: the rate is f_D / sqrt(2), whatever K.
    assert rate_hz == pytest.approx([0, 1 / math.sqrt(2)], rel=0.01)
