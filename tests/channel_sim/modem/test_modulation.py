import math

import numpy as np
import pytest
from scipy.integrate import quad

from channel_sim.modem.modulation import BPSK, MODULATIONS, QAM16, QAM64, QPSK, Modulation


def q(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def test_bpsk_and_qpsk_err_as_one_and_two_antipodal_signals() -> None:
    snr = 10**0.7
    assert BPSK.bit_error_rate(7.0) == pytest.approx(q(math.sqrt(2 * snr)), rel=1e-12)
    assert QPSK.bit_error_rate(7.0) == pytest.approx(q(math.sqrt(snr)), rel=1e-12)
    assert BPSK.bit_error_rate(9.587856) == pytest.approx(1e-5, rel=1e-4), "the 9.6 dB that every textbook quotes"


def test_16_qam_is_worked_out_by_hand() -> None:
    """Levels -3, -1, 1, 3 times d, 00 01 11 10: the first bit errs beyond 1 or 3 d, the second between."""
    d = math.sqrt(10**1.2 / 10 * 2)
    first = (q(d) + q(3 * d)) / 2
    second = (2 * q(d) + q(3 * d) - q(5 * d)) / 2
    assert QAM16.bit_error_rate(12.0) == pytest.approx((first + second) / 2, rel=1e-12)


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_noise_alone_makes_every_other_bit_wrong(modulation: Modulation) -> None:
    assert modulation.bit_error_rate([-np.inf, -300.0]) == pytest.approx([0.5, 0.5])
    assert modulation.rayleigh_bit_error_rate(-300.0) == pytest.approx(0.5)


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("mean_snr_db", [0.0, 10.0, 20.0])
def test_rayleigh_rate_is_the_mean_of_the_awgn_rate_over_exponential_power(
    modulation: Modulation, mean_snr_db: float
) -> None:
    def weighted(power: float) -> float:
        return float(modulation.bit_error_rate(mean_snr_db + 10 * math.log10(power))) * math.exp(-power)

    mean = quad(weighted, 1e-12, 1, epsabs=1e-10)[0] + quad(weighted, 1, 60, epsabs=1e-10)[0]
    assert modulation.rayleigh_bit_error_rate(mean_snr_db) == pytest.approx(mean, rel=1e-5)


def test_denser_modulation_errs_more_and_more_signal_helps() -> None:
    rates = np.array([modulation.bit_error_rate(np.arange(-10, 20)) for modulation in (BPSK, QPSK, QAM16, QAM64)])
    assert np.all(np.diff(rates, axis=1) < 0)
    assert np.all(np.diff(rates, axis=0) > 0)
