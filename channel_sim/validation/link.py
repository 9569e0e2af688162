"""Rate, queue and delay against worked schedules and queueing theory; the link in real time and between real sockets
against the same packets on the virtual clock."""

from __future__ import annotations

import asyncio
import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from channel_sim.link import Link, LinkSettings
from channel_sim.proxy import Path, Proxy
from channel_sim.spec import parse_channel
from channel_sim.traces import DeliveryOpportunities, RateOverTime
from channel_sim.validation.check import Check
from progressive.transport.base import Transport
from progressive.transport.memory import memory_pair
from progressive.transport.udp import UdpAddress, open_udp_receiver, open_udp_sender

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Link, real time and proxy"

NOTE = """\
A link of constant rate that packets of equal size reach at random times is an M/D/1 queue, whose mean wait follows from
the load by the formula of Pollaczek and Khinchine, load / (2 (1 - load)) packets; the tolerance is three standard
errors, from the means of 50 batches. A full queue, a Mahimahi trace and a throughput log are compared with schedules
worked out by hand: 30 packets need 20 opportunities, three in 10 ms; 2,500 packets are 20 Mbit, 16 of them in 4 s.
Jitter, late and duplicated packets are counted, within three standard errors.

The same packets pass the same link in real time (in one process, and between UDP sockets through the proxy) and on the
virtual clock. The same ones must be lost, and the median of the delays' differences be 2 ms at most.

**tc netem.** `python -m benchmarks.netem` sends a photo through network namespaces with the loss that netem draws, and
through this simulator, and compares the pictures. It has not been run: no machine with netem was at hand.
"""

SIZE = 1000
REAL_PACKETS = 150
BURST_PACKETS = 3
BURST_EVERY_S = 0.02
AFTERMATH_S = 0.2
REAL_SPEC = "ge:loss=15%,burst=3+rate:2Mbps,delay=30ms,jitter=20ms"
MEDIAN_TOLERANCE_S = 0.002

Floats = NDArray[np.float64]


class Sample(NamedTuple):
    """Packets through a real link beside the same on the virtual clock, [packets] each; NaN delays are losses."""

    measured_s: Floats
    expected_s: Floats

    @property
    def differing_fates(self) -> int:
        return int(np.sum(np.isnan(self.measured_s) != np.isnan(self.expected_s)))

    @property
    def differences_s(self) -> Floats:
        """Of the delays of the packets that arrived in both."""
        differences = self.measured_s - self.expected_s
        return differences[~np.isnan(differences)]


def mean_wait(load: float, packets: int, seed: int = 0) -> tuple[float, float]:
    """Mean wait before transmission in packets' durations, with its standard error, at Poisson arrivals."""
    link = Link(parse_channel("rate:8kbps"), seed=0, start_s=0.0)
    times_s = np.cumsum(np.random.default_rng(seed).exponential(1 / load, packets))
    data = bytes(SIZE)
    waits = np.array([link.carry(data, time_s).begin_s - time_s for time_s in times_s])
    batches = waits[packets // 10 :].reshape(50, -1).mean(axis=1)
    return float(batches.mean()), float(batches.std(ddof=1) / math.sqrt(len(batches)))


def theoretical_wait(load: float) -> float:
    """Pollaczek and Khinchine's mean wait of M/D/1, in packets' durations."""
    return load / (2 * (1 - load))


@functools.cache
def in_one_process() -> Sample:
    """Packets between two ends in this process, in real time."""
    return asyncio.run(_through_memory())


@functools.cache
def proxied() -> Sample:
    """Packets between two UDP sockets with the proxy in between."""
    return asyncio.run(_through_proxy())


def checks() -> list[Check]:
    return [*_queueing(), *_schedules(), *_random_delays(), *_real_clocks()]


def draw(figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    loads = np.linspace(0.05, 0.9, 50)
    left.plot(loads, [theoretical_wait(load) for load in loads], label="Pollaczek-Khinchine")
    measured_at = (0.2, 0.4, 0.6, 0.8)
    means, errors = zip(*(mean_wait(load, 20_000) for load in measured_at), strict=True)
    left.errorbar(measured_at, means, 3 * np.array(errors), fmt="o", label="link, 3 standard errors")
    left.set(xlabel="load", ylabel="mean wait (packets)")
    left.legend()
    for name, sample in (("in one process", in_one_process()), ("through the proxy", proxied())):
        right.hist(1e3 * sample.differences_s, bins=np.linspace(-1, 4, 51), histtype="step", label=name)
    right.set(xlabel="delay in real time less that on the virtual clock (ms)", ylabel="packets")
    right.legend()


def _queueing() -> list[Check]:
    rows = []
    for load in (0.5, 0.8):
        packets = 100_000
        mean, error = mean_wait(load, packets)
        rows.append(Check(f"mean wait at load {load:g}, packets", mean, theoretical_wait(load), 3 * error, packets))
    return rows


def _schedules() -> list[Check]:
    """When the last arrives of packets of 1,000 bytes offered at once, beside what was worked out by hand."""
    trace = DeliveryOpportunities("5 5 10 ms", np.array([5, 5, 10]))
    log = RateOverTime("8, 0, 4 Mbit/s", np.array([0.0, 1.0, 2.0, 4.0]), np.array([8e6, 0.0, 4e6]))
    cases = [
        ("80 packets at 1 Mbit/s and 50 ms", LinkSettings(rate_bps=1e6, delay_s=0.05), 80, 80 * 0.008 + 0.05),
        ("the same, queue of 16 kB: 17 pass", parse_channel("rate:1Mbps,delay=50ms,queue=16kB"), 80, 17 * 0.008 + 0.05),
        ("30 packets, opportunities at 5, 5, 10 ms", LinkSettings(trace=trace), 30, 0.065),
        ("2500 packets, 8 Mbit/s, nothing, twice 4 Mbit/s", LinkSettings(trace=log), 2500, 4.5),
    ]
    rows = []
    for what, settings, packets, expected_s in cases:
        link = Link(settings, seed=0)
        arrivals_s = [arrival_s for _ in range(packets) for arrival_s, _ in link.send(bytes(SIZE), 0.0)]
        rows.append(Check(f"last arrival of {what}, s", arrivals_s[-1], expected_s, 1e-9, packets))
    return rows


def _random_delays() -> list[Check]:
    packets, share, jitter_s = 50_000, 0.1, 0.02
    link = Link(parse_channel("jitter:20ms+reorder:10%,late=1s+duplicate:10%"), seed=0)
    arrivals_s = [[at for at, _ in link.send(b"", 0.0)] for _ in range(packets)]
    first_s = np.array([times[0] for times in arrivals_s])
    share_error = math.sqrt(share * (1 - share) / packets)
    return [
        Check(
            "mean jitter of 0 to 20 ms, s",
            float(np.mean(first_s % 1.0)),
            jitter_s / 2,
            3 * jitter_s / math.sqrt(12 * packets),
            packets,
        ),
        Check("share of late packets", float(np.mean(first_s >= 1)), share, 3 * share_error, packets),
        Check("share of duplicates", link.statistics.duplicated / packets, share, 3 * share_error, packets),
    ]


def _real_clocks() -> list[Check]:
    rows = []
    for name, sample in (("in one process", in_one_process()), ("proxy", proxied())):
        median_s = float(np.median(np.abs(sample.differences_s)))
        rows.append(Check(f"{name}: packets with another fate", sample.differing_fates, 0, 0, REAL_PACKETS))
        rows.append(Check(f"{name}: median difference of delays, s", median_s, 0, MEDIAN_TOLERANCE_S, REAL_PACKETS))
    return rows


async def _through_memory() -> Sample:
    near, far = memory_pair(Link(_real_settings(), seed=0))
    return await _sample(near, far)


async def _through_proxy() -> Sample:
    receiver = await open_udp_receiver(UdpAddress("127.0.0.1", 0))
    proxy = Proxy([Path.seeded(receiver.local_address, _real_settings(), LinkSettings(), 0)])
    sender = await open_udp_sender(await proxy.listen(UdpAddress("127.0.0.1", 0)))
    carrying = asyncio.create_task(proxy.run())
    try:
        return await _sample(sender, receiver)
    finally:
        proxy.close()
        await carrying
        sender.close()
        receiver.close()


async def _sample(sender: Transport, receiver: Transport) -> Sample:
    """Sends numbered packets in bursts, so that they queue, and notes when they arrive."""
    clock = asyncio.get_running_loop().time
    sent_s, measured_s = np.empty(REAL_PACKETS), np.full(REAL_PACKETS, np.nan)

    async def note_arrivals() -> None:
        while True:
            number = int.from_bytes((await receiver.receive())[:4], "big")
            measured_s[number] = clock() - sent_s[number]

    noting = asyncio.create_task(note_arrivals())
    for number in range(REAL_PACKETS):
        sent_s[number] = clock()
        await sender.send(number.to_bytes(4, "big") + bytes(SIZE - 4))
        if number % BURST_PACKETS == BURST_PACKETS - 1:
            await asyncio.sleep(BURST_EVERY_S)
    await asyncio.sleep(AFTERMATH_S)
    noting.cancel()
    link = Link(_real_settings(), seed=0)
    arrivals = [link.send(bytes(SIZE), sent) for sent in sent_s]
    expected_s = [times[0][0] - sent if times else math.nan for times, sent in zip(arrivals, sent_s, strict=True)]
    return Sample(measured_s, np.array(expected_s))


def _real_settings() -> LinkSettings:
    return parse_channel(REAL_SPEC)
