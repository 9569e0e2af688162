import numpy as np
import pytest
from numpy.random import SeedSequence

from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.motion import SatellitePass, Straight
from channel_sim.radio.path_loss import FreeSpace
from channel_sim.radio.settings import (
    Budget,
    Fading,
    Nakagami,
    Radio,
    Rayleigh,
    Rician,
    Shadowing,
    TappedDelayLine,
    Variation,
)
from progressive.errors import UsageError

DOPPLER, BLOCKS = Variation(doppler_hz=20), Variation(block_s=0.1)
FADINGS: list[Fading] = [
    Rayleigh(DOPPLER),
    Rayleigh(BLOCKS),
    Rician(6, 30, DOPPLER),
    Rician(6, variation=BLOCKS),
    Nakagami(0.7, DOPPLER),
    Nakagami(2.5, BLOCKS),
    TappedDelayLine("C", 300e-9, 10e6, variation=DOPPLER),
    TappedDelayLine("D", 300e-9, 10e6, beta=3, variation=BLOCKS),
]
TIMES_S = np.array([0.0, 0.05, 0.051, 3.0, 1e4, 0.7])


def radio(fading: Fading | None) -> Radio:
    return Radio(mean_snr_db=10, motion=Straight(5, 2), shadowing=Shadowing(6, 10), fading=fading)


@pytest.mark.parametrize("fading", FADINGS, ids=str)
def test_a_value_depends_on_seed_link_and_time_alone(fading: Fading) -> None:
    channel = RadioChannel(radio(fading), links=4, seed=1)
    together = channel.snr_db(TIMES_S)
    one_by_one = np.concatenate([channel.snr_db(TIMES_S[[t]]) for t in reversed(range(6))], axis=1)[:, ::-1]
    assert one_by_one == pytest.approx(together, abs=1e-6)
    assert RadioChannel(radio(fading), links=1, seed=SeedSequence(1)).snr_db(TIMES_S) == pytest.approx(
        together[:1], abs=1e-6
    )
    own_times = np.stack([np.roll(TIMES_S, link) for link in range(4)])
    own = channel.snr_db(own_times)
    for link in range(4):
        assert own[link] == pytest.approx(np.roll(together[link], link), abs=1e-6)
    assert np.all(np.abs(RadioChannel(radio(fading), links=4, seed=2).snr_db(TIMES_S) - together) > 1e-6)
    assert len(np.unique(np.round(together[:, 0], 6))) == 4


def test_a_seed_sequence_can_be_used_again() -> None:
    seed = SeedSequence(5)
    first, second = (RadioChannel(radio(Rayleigh(DOPPLER)), seed=seed).snr_db(TIMES_S) for _ in range(2))
    assert np.array_equal(first, second)


def test_without_fading_and_shadowing_the_snr_is_the_link_budget() -> None:
    budget = Budget(FreeSpace(2.4e9), power_dbm=20, bandwidth_hz=20e6, gains_db=3)
    channel = RadioChannel(Radio(budget=budget, motion=Straight(100, 100)), links=2, seed=0)
    # 20 dBm + 3 dB - 80.05 dB - (-173.975 + 73.010 + 6) dBm; twice as far is 6.02 dB less.
    assert channel.snr_db(np.array([0.0, 1.0])) == pytest.approx(np.array([[37.915, 31.894]] * 2), abs=0.01)


def test_a_satellite_below_the_horizon_leaves_no_signal() -> None:
    budget = Budget(FreeSpace(2e9), power_dbm=40, bandwidth_hz=1e6)
    for fading in (None, *FADINGS):
        settings = Radio(budget=budget, motion=SatellitePass(600e3), fading=fading)
        visible, set_ = RadioChannel(settings, seed=0).snr_db(np.array([100.0, 2000.0]))[0]
        assert np.isfinite(visible)
        assert set_ == -np.inf


@pytest.mark.parametrize("fading", FADINGS[:6], ids=str)
def test_flat_fading_keeps_the_mean_snr(fading: Fading) -> None:
    # 40,000 values of a power whose variance is at most 2 (Nakagami with m = 0.7: 1.43), 4 standard errors.
    snr_db = RadioChannel(Radio(mean_snr_db=10, fading=fading), links=2000, seed=3).snr_db(np.arange(20) * 3.3)
    assert abs(np.mean(10 ** (snr_db / 10)) / 10 - 1) < 4 * np.sqrt(2 / 40_000)


def test_a_single_link_keeps_its_mean_snr_over_time() -> None:
    snr_db = RadioChannel(Radio(mean_snr_db=10, fading=Rayleigh(DOPPLER)), seed=3).snr_db(np.arange(0, 200, 0.01))
    assert abs(np.mean(10 ** (snr_db / 10)) / 10 - 1) < 0.02


def test_blocks_hold_and_are_independent() -> None:
    channel = RadioChannel(Radio(mean_snr_db=0, fading=Rayleigh(BLOCKS)), links=20_000, seed=4)
    snr_db = channel.snr_db(np.array([0.0, 0.099, 0.101]))
    assert np.array_equal(snr_db[:, 0], snr_db[:, 1])
    power = 10 ** (snr_db / 10)
    assert abs(np.corrcoef(power[:, 1], power[:, 2])[0, 1]) < 4 / np.sqrt(20_000)


def test_links_fade_independently() -> None:
    channel = RadioChannel(Radio(mean_snr_db=0, fading=Rayleigh(DOPPLER)), links=20_000, seed=4)
    power = 10 ** (channel.snr_db(np.zeros(1))[:, 0] / 10)
    assert abs(np.corrcoef(power[:-1], power[1:])[0, 1]) < 4 / np.sqrt(20_000)


def test_a_receiver_at_rest_keeps_its_shadowing() -> None:
    settings = Radio(mean_snr_db=0, shadowing=Shadowing(8))
    levels_db = RadioChannel(settings, links=3, seed=0).snr_db(TIMES_S)
    assert levels_db == pytest.approx(np.repeat(levels_db[:, :1], 6, axis=1))
    assert np.all(np.abs(levels_db) > 0.01)


@pytest.mark.parametrize(
    "times_s", [np.array([-1.0]), np.array(1.0), np.zeros((3, 2)), np.array([np.nan]), np.array([np.inf])]
)
def test_times_must_be_lists_that_fit_the_links(times_s: np.ndarray) -> None:
    with pytest.raises(UsageError, match="times of 0 to"):
        RadioChannel(Radio(mean_snr_db=0), links=2, seed=0).snr_db(times_s)


def test_no_links_are_refused() -> None:
    with pytest.raises(UsageError, match="use 1 or more"):
        RadioChannel(Radio(mean_snr_db=0), links=0, seed=0)
