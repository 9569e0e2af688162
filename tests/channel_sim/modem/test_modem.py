import math

import numpy as np
import pytest

from channel_sim.modem import mcs
from channel_sim.modem.mcs import SCHEMES
from channel_sim.modem.modem import ModemBank, ModemState
from channel_sim.modem.settings import Modem
from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.motion import Straight
from channel_sim.radio.path_loss import FreeSpace
from channel_sim.radio.settings import Budget, Radio, Rayleigh, Variation
from progressive.errors import UsageError

QPSK_HALF = SCHEMES[2]


def awgn(snr_db: float, links: int = 1) -> RadioChannel:
    return RadioChannel(Radio(mean_snr_db=snr_db), links=links, seed=0)


def rayleigh(mean_snr_db: float, variation: Variation, links: int = 1) -> RadioChannel:
    return RadioChannel(Radio(mean_snr_db=mean_snr_db, fading=Rayleigh(variation)), links=links, seed=5)


def send_in_a_row(modem: ModemState, packets: int, size: int = 1000, gap_s: float = 0.0) -> list[bool]:
    now, lost = 0.0, []
    for _ in range(packets):
        sent = modem.transmit(now, size)
        lost.append(sent.lost)
        now += sent.duration_s + gap_s
    return lost


def test_a_packet_takes_its_bits_over_the_rate_of_its_scheme() -> None:
    sent = ModemState(Modem(20e6, "qpsk-1/2"), awgn(30), seed=0).transmit(1.0, 1500)
    assert sent.duration_s == pytest.approx(12000 / 12e6)
    assert (sent.mcs, sent.lost, sent.snr_db) == ("qpsk-1/2", False, 30)


def test_a_modem_takes_the_bandwidth_of_the_link_budget() -> None:
    budget = Budget(FreeSpace(2.4e9), power_dbm=20, bandwidth_hz=5e6)
    radio = RadioChannel(Radio(budget=budget, motion=Straight(10)), seed=0)
    sent = ModemState(Modem(mcs="bpsk-1/2"), radio, seed=0).transmit(0.0, 1500)
    assert sent.duration_s == pytest.approx(12000 / 1.5e6)


def test_packets_on_a_steady_channel_are_lost_at_the_rate_of_their_scheme() -> None:
    """20,000 packets of 1000 bytes, within 4 standard errors; all wrong bits are in the lost ones."""
    links, packets, snr_db = 1000, 20, 5.8
    bank = ModemBank(Modem(mcs="qpsk-1/2"), awgn(snr_db, links), seed=1)
    sent = [bank.transmit(np.full(links, float(number)), 1000) for number in range(packets)]
    expected = float(QPSK_HALF.packet_error_rate(snr_db, 8000))
    assert 0.1 < expected < 0.3
    error = math.sqrt(expected * (1 - expected) / (links * packets))
    assert abs(np.mean([s.lost for s in sent]) - expected) < 4 * error
    damage = float(QPSK_HALF.bit_error_rate(snr_db)) / expected
    assert sent[0].bit_error_rate == pytest.approx(np.where(sent[0].lost, damage, 0), rel=0.01)


def test_a_packet_in_the_air_for_long_meets_the_fades_on_its_way() -> None:
    """500 bytes at 600 kbit/s (7 ms) in blocks of 1 ms: survival is the product over the blocks, on average."""
    links, mean_snr_db = 4000, 20.0
    radio = rayleigh(mean_snr_db, Variation(block_s=0.001), links)
    bank = ModemBank(Modem(1e6, "qpsk-1/2"), radio, seed=2)
    assert 8 * 500 / (1e6 * QPSK_HALF.efficiency) == pytest.approx(20 / 3 * 0.001)
    lost = bank.transmit(np.zeros(links), 500).lost.mean()
    powers = np.random.default_rng(0).exponential(size=100_000)
    one_block = 1 - QPSK_HALF.packet_error_rate(mean_snr_db + 10 * np.log10(powers), 600).mean()
    two_thirds = 1 - QPSK_HALF.packet_error_rate(mean_snr_db + 10 * np.log10(powers), 400).mean()
    expected = 1 - one_block**6 * two_thirds
    assert abs(lost - expected) < 4 * math.sqrt(expected * (1 - expected) / links)


@pytest.mark.parametrize("target", [0.02, 0.1, 0.3])
def test_link_adaptation_reaches_its_target_on_a_steady_channel(target: float) -> None:
    """6,000 packets after 500 to settle, within a tenth of the target: the loop corrects its own sum of errors."""
    modem = ModemState(Modem(target=target, report_delay_s=0.05), awgn(17.0), seed=3)
    lost = send_in_a_row(modem, 6500)[500:]
    assert np.mean(lost) == pytest.approx(target, rel=0.1)


@pytest.mark.parametrize("report_delay_s", [0.002, 0.1])
def test_link_adaptation_reaches_its_target_on_a_fading_channel(report_delay_s: float) -> None:
    """8,000 packets on Rayleigh fading of 5 Hz, whose reports are fresh, or so old that they say nothing."""
    radio = rayleigh(18.0, Variation(doppler_hz=5))
    modem = ModemState(Modem(target=0.1, report_delay_s=report_delay_s), radio, seed=4)
    now, outcomes = 0.0, []
    for _ in range(9000):
        sent = modem.transmit(now, 1000)
        outcomes.append(sent.lost and sent.mcs != "bpsk-1/2")
        now += sent.duration_s + 0.005
    assert np.mean(outcomes[1000:]) == pytest.approx(0.1, abs=0.015)


def test_old_reports_cost_rate() -> None:
    def rate_bps(report_delay_s: float) -> float:
        modem = ModemState(Modem(report_delay_s=report_delay_s), rayleigh(18.0, Variation(doppler_hz=5)), seed=4)
        now = air_s = 0.0
        for _ in range(3000):
            sent = modem.transmit(now, 1000)
            air_s += sent.duration_s
            now += sent.duration_s + 0.005
        return 3000 * 8000 / air_s

    assert rate_bps(0.002) > 1.3 * rate_bps(0.1)


def test_a_modem_is_seeded_and_an_outage_is_tried_at_the_slowest_scheme() -> None:
    assert send_in_a_row(ModemState(Modem(), awgn(9.0), seed=1), 300) == send_in_a_row(
        ModemState(Modem(), awgn(9.0), seed=1), 300
    )
    sent = ModemState(Modem(), awgn(-40.0), seed=1).transmit(0.0, 1000)
    assert (sent.mcs, sent.lost, sent.bit_error_rate) == ("bpsk-1/2", True, 0.5)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"bandwidth_hz": 0.0}, "use 1 to 1e.10 Hz"),
        ({"bandwidth_hz": math.nan}, "bandwidth of nan"),
        ({"mcs": "qpsk"}, "no scheme 'qpsk': use auto, bpsk-1/2, "),
        ({"target": 0.0}, "use 0.001 to 0.5"),
        ({"report_delay_s": -1.0}, "use 0 to 60 s"),
    ],
)
def test_impossible_modems_are_refused(bad: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Modem(**bad)  # type: ignore[arg-type]


def test_modems_are_told_in_words() -> None:
    assert str(Modem(20e6, "qpsk-1/2")) == "modem qpsk-1/2 in 20 MHz"
    assert str(Modem(1e6)) == "adaptive modem in 1 MHz (10% lost, reports after 10 ms)"


def test_tables_are_made_before_the_first_packet_which_in_real_time_must_not_wait_for_them() -> None:
    mcs._log_rates.cache_clear()
    modem = ModemState(Modem(), awgn(9.0), seed=1)
    made = mcs._log_rates.cache_info().misses
    modem.transmit(0.0, 1000)
    assert mcs._log_rates.cache_info().misses == made == 1
