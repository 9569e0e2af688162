import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from channel_sim.link import Link
from channel_sim.population import draw_fates
from channel_sim.spec import parse_channel
from progressive.errors import UsageError

TIMES_S = 5.0 + np.array([0.0, 0.0, 0.02, 0.021, 0.05, 0.05, 0.05, 0.3])
SIZES = np.array([200, 1000, 1000, 1000, 400, 1400, 1000, 1000])

EVERY_KIND = [
    "none",
    "ge:loss=20%,burst=3",
    "gilbert:p=0.1,r=0.3,h=0.2,k=0.9",
    "ge:loss=30%,burst=20ms+rate:200kbps",
    "ge:loss=20%,burst=2+rate:100kbps,queue=2kB",
    "ber:1e-4+loss:5%",
    "rayleigh:snr=9dB,doppler=10Hz+modem:mcs=qpsk-1/2,bandwidth=1MHz",
    "rayleigh:snr=9dB,doppler=10Hz+modem:bandwidth=200kHz+ge:loss=10%,burst=20ms",
    "rician:snr=9dB,k=3dB,block=20ms+rate:100kbps",
    "awgn:snr=3dB+modem:mcs=bpsk-1/2+loss:10%",
    "pedestrian",
    "indoor+loss:10%",
]


@pytest.mark.parametrize("spec", EVERY_KIND)
def test_a_population_has_the_distribution_of_single_links(spec: str) -> None:
    """2,000 receivers, 300 links: how often each packet and each pair in a row is lost, within 4 standard errors."""
    settings, links = parse_channel(spec), 300
    many = draw_fates(settings, 2000, TIMES_S, SIZES, seed=1)
    single = np.zeros((links, len(SIZES)), dtype=bool)
    for number in range(links):
        link = Link(settings, seed=number)
        single[number] = [not link.send(bytes(size), now) for size, now in zip(SIZES, TIMES_S, strict=True)]
    for of_many, of_single in ((many, single), (many[:, 1:] & many[:, :-1], single[:, 1:] & single[:, :-1])):
        share = of_many.mean(axis=0)
        error = np.sqrt(share * (1 - share) * (1 / len(of_many) + 1 / links))
        assert np.all(np.abs(of_single.mean(axis=0) - share) <= 4 * error + 1e-9)


def test_receivers_are_independent_and_the_seed_decides() -> None:
    settings = parse_channel("rayleigh:snr=6dB,doppler=10Hz+modem:mcs=bpsk-1/2")
    fates = draw_fates(settings, 3000, [0.0, 1.0], 1000, seed=1)
    assert abs(np.corrcoef(fates[1:, 0], fates[:-1, 0])[0, 1]) < 4 / math.sqrt(3000)
    assert np.array_equal(fates, draw_fates(settings, 3000, [0.0, 1.0], 1000, seed=1))
    assert not np.array_equal(fates, draw_fates(settings, 3000, [0.0, 1.0], 1000, seed=2))


def test_outage_of_a_faded_broadcast_is_that_of_rayleigh() -> None:
    """The scheme's waterfall is steep: losses lie between the outages a decibel and a half about its threshold."""
    settings = parse_channel("rayleigh:snr=15dB,doppler=1Hz+modem:mcs=qpsk-1/2,bandwidth=1MHz")
    lost = draw_fates(settings, 20_000, [0.0], 1000, seed=3).mean()
    outages = [1 - math.exp(-(10 ** ((5.99 + offset - 15) / 10))) for offset in (-1.5, 1.5)]
    assert outages[0] < lost < outages[1]


def test_delivered_damage_is_no_loss() -> None:
    damaged = parse_channel("ber:1e-3+rayleigh:snr=0dB,doppler=10Hz+modem:mcs=64qam-3/4")
    assert draw_fates(damaged, 50, [0.0], 1000, seed=0).all()
    assert not draw_fates(replace(damaged, deliver_damaged=True), 50, [0.0], 1000, seed=0).any()


def test_no_packets_have_no_fates() -> None:
    assert draw_fates(parse_channel("ep3"), 7, [], 1000, seed=0).shape == (7, 0)


@pytest.mark.parametrize(
    ("spec", "receivers", "times_s", "sizes", "says"),
    [
        ("ep3", 0, [0.0], 1000, "use 1 or more"),
        ("ep3", 5, [1.0, 0.5], 1000, "times that never fall"),
        ("ep3", 5, [1.0, math.nan], 1000, "finite times"),
        ("ep3", 5, [[1.0, 2.0]], 1000, "one list of"),
        ("ep3", 5, [1.0, 2.0], [1000, 1000, 1000], "one for all, or one for each time"),
        ("rayleigh:snr=9dB,doppler=10Hz", 5, [0.0], -1, "sizes of 0 bytes or more"),
        ("rayleigh:snr=9dB,doppler=10Hz", 5, [0.0, 1e15], 1000, "times of 0 to 1e\\+12 s"),
        ("rayleigh:snr=9dB,doppler=10Hz+queue:5kB", 5, [0.0], 1000, "leave out queue and codel"),
    ],
)
def test_impossible_populations_are_refused(
    spec: str, receivers: int, times_s: ArrayLike, sizes: ArrayLike, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        draw_fates(parse_channel(spec), receivers, times_s, sizes, seed=0)
