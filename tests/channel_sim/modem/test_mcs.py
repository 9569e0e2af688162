import numpy as np
import pytest

from channel_sim.modem.mcs import SCHEMES, THRESHOLDS_DB, Mcs, error_rates, packet_error_rate

NOISE_DBM = -174 + 73  # in 20 MHz
STANDARD_RATES_MBPS = [6, 9, 12, 18, 24, 36, 48, 54]
STANDARD_SENSITIVITIES_DBM = [-82, -81, -79, -77, -74, -70, -66, -65]
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)


def test_rates_in_20_mhz_are_those_of_the_standard() -> None:
    assert [20 * scheme.efficiency for scheme in SCHEMES] == pytest.approx(STANDARD_RATES_MBPS)


def test_thresholds_are_near_the_sensitivities_of_the_standard() -> None:
    noise_figure_db, margin_db = 10, 5
    required_db = np.array(STANDARD_SENSITIVITIES_DBM) - NOISE_DBM - noise_figure_db - margin_db
    assert np.abs(THRESHOLDS_DB - required_db).max() < 1.1


@each_scheme
def test_one_packet_of_1000_bytes_in_ten_is_lost_at_the_threshold(scheme: Mcs) -> None:
    assert scheme.packet_error_rate(scheme.threshold_db, 8000) == pytest.approx(0.1, rel=0.03)


@each_scheme
def test_packets_are_lost_more_often_the_longer_and_the_weaker_they_are(scheme: Mcs) -> None:
    around_db = scheme.threshold_db + np.linspace(-3, 3, 25)
    by_length = scheme.packet_error_rate(around_db, np.array([[400], [8000], [12000]]))
    assert np.all(np.diff(by_length, axis=0) >= 0)
    assert np.all(np.diff(by_length, axis=1) <= 0)
    assert by_length[1, 0] > 0.99
    assert by_length[1, -1] < 1e-3


def test_a_packet_twice_as_long_survives_as_often_as_two_in_a_row() -> None:
    assert 1 - packet_error_rate(1e-4, 2000) == pytest.approx((1 - packet_error_rate(1e-4, 1000)) ** 2)
    assert packet_error_rate(1e-4, 1000) == pytest.approx(1 - (1 - 1e-4) ** 1000)


def test_the_table_gives_the_rates_of_the_formula() -> None:
    snr_db = np.random.default_rng(0).uniform(-10, 30, 500)
    for number, scheme in enumerate(SCHEMES):
        quick = error_rates(np.full(500, number), snr_db)
        for exact, from_table in (
            (scheme.event_rate(snr_db), quick.events),
            (scheme.bit_error_rate(snr_db), quick.bits),
        ):
            told = exact > 1e-12
            assert from_table[told] == pytest.approx(exact[told], rel=0.03)
            assert from_table[~told].max() < 1.1e-12


def test_without_a_signal_every_packet_is_lost_and_with_much_none() -> None:
    schemes = np.arange(len(SCHEMES))
    assert np.all(packet_error_rate(error_rates(schemes, np.full(8, -np.inf)).events, 800) == 1)
    assert np.all(packet_error_rate(error_rates(schemes, np.full(8, 99.0)).events, 12000) < 1e-12)
