import math

import numpy as np
import pytest
from numpy.random import SeedSequence

from channel_sim.link import Link
from channel_sim.loss import draw_trials
from channel_sim.population import draw_fates
from channel_sim.spec import parse_channel
from experiments.links import open_links


def arrivals(
    channel: str, trials: int, packets: int, *, seed: int = 5, size: int = 1000, pace_s: float = 0.1
) -> np.ndarray:
    links = open_links(parse_channel(channel), trials, packets, seed=SeedSequence(seed))
    sizes = np.full(trials, size)
    return np.stack([links.send(np.full(trials, n * pace_s), sizes) for n in range(packets)], axis=1)


def test_packets_take_their_time_in_the_air_and_wait_for_each_other() -> None:
    # 1,000 bytes at 50 kbit/s are 160 ms, offered every 100 ms
    np.testing.assert_allclose(arrivals("rate:50kbps,delay=40ms", 2, 3), [[0.2, 0.36, 0.52]] * 2)


@pytest.mark.parametrize("channel", ["ep4", "gilbert:p=10%,r=50%,h=20%,k=90%"])
def test_fates_are_those_of_the_chain(channel: str) -> None:
    lost = ~np.isfinite(arrivals(channel, 4000, 30))
    chain = parse_channel(channel).loss
    assert chain is not None
    again = draw_trials(chain, 4000, 30, seed=SeedSequence(99))
    # 120,000 packets, in bursts of up to 2.4: a standard error of about 0.2 %
    assert lost.mean() == pytest.approx(again.mean(), abs=0.008)
    assert (lost[:, 1:] & lost[:, :-1]).mean() == pytest.approx((again[:, 1:] & again[:, :-1]).mean(), abs=0.008)


def test_the_same_seed_gives_the_same_fates_whatever_is_sent() -> None:
    small, large = (arrivals("ep4+rate:50kbps", 50, 20, size=size) for size in (100, 1000))
    assert (np.isfinite(small) == np.isfinite(large)).all()
    assert not (np.isfinite(small) == np.isfinite(arrivals("ep4", 50, 20, seed=6))).all()


def test_radio_links_lose_as_many_as_single_links() -> None:
    channel = "rayleigh:snr=8dB,doppler=10Hz+modem:qpsk-1/2,bandwidth=1MHz"
    lost = ~np.isfinite(arrivals(channel, 2000, 10))
    reference = draw_fates(parse_channel(channel), 2000, np.arange(10) * 0.1, 1000, seed=7)
    # 2,000 trials whose 10 packets are nearly independent: a standard error below 0.5 %
    assert 0.05 < lost.mean() < 0.95
    assert lost.mean() == pytest.approx(reference.mean(), abs=0.02)


def test_whatever_a_link_does_is_done_trial_by_trial() -> None:
    channel = "rate:50kbps,delay=10ms,jitter=20ms,queue=3kB+ep4"
    seed = SeedSequence(5).spawn(3)[2].generate_state(3)
    own = arrivals(channel, 3, 40)
    for trial in range(3):
        link = Link(parse_channel(channel), seed=int(seed[trial]), start_s=0.0)
        expected = [link.send(bytes(1000), n * 0.1) for n in range(40)]
        assert own[trial].tolist() == [came[0][0] if came else math.inf for came in expected]
