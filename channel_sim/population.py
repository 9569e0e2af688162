"""Many receivers at once: the fates of a broadcast's packets on thousands of links, drawn in one call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import ArrayLike, NDArray

from channel_sim.link import Fate, Link, LinkSettings
from channel_sim.loss import draw_trials
from channel_sim.modem.mcs import packet_error_rate
from channel_sim.modem.modem import ModemBank
from channel_sim.modem.settings import Modem
from channel_sim.radio.channel import RadioChannel
from progressive.errors import UsageError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Sizes = NDArray[np.intp]


def draw_fates(
    settings: LinkSettings, receivers: int, times_s: ArrayLike, size_bytes: ArrayLike, *, seed: int
) -> Bools:
    """Fates of packets that are offered to as many links as there are receivers, [receivers, packets], True = lost.

    A receiver's fates have the distribution of what a `Link` with the same settings does to these packets, and those of
    different receivers are independent; a packet dropped at a queue is lost. As on a `Link` without `start_s`, radio
    channels and traces start with the first packet.

    Args:
        settings: of every link. With a radio channel queues must be unlimited.
        receivers: how many, at least 1.
        times_s: when each packet is offered, [packets] in seconds, never falling.
        size_bytes: of each packet, [packets], or of all of them.
        seed: of everything random.

    Raises:
        UsageError: for less than one receiver, times that fall, negative sizes or another number of them, or a limited
            queue before a radio channel.
    """
    if receivers < 1:
        raise UsageError(f"{receivers} receivers are impossible: use 1 or more")
    offered_s = np.asarray(times_s, dtype=np.float64)
    if offered_s.ndim != 1 or not np.all(np.isfinite(offered_s)) or np.any(np.diff(offered_s) < 0):
        raise UsageError("packets are sent one after another: give one list of finite times that never fall")
    sizes = np.asarray(size_bytes, dtype=np.intp)
    if sizes.shape not in {(), offered_s.shape} or np.any(sizes < 0):
        raise UsageError("packets have sizes of 0 bytes or more: give one for all, or one for each time")
    sizes = np.broadcast_to(sizes, offered_s.shape)
    if not len(offered_s):
        return np.zeros((receivers, 0), dtype=np.bool_)
    offered_s = offered_s - offered_s[0]

    radio_seed, loss_seed, bits_seed = SeedSequence(seed).spawn(3)
    if settings.radio is None:
        begin_s, dropped = _through_queue(settings, offered_s, sizes)
        lost = np.tile(dropped, (receivers, 1))
    else:
        begin_s, damaged = _through_radio(settings, receivers, offered_s, sizes, radio_seed)
        dropped = np.zeros(len(offered_s), dtype=np.bool_)
        lost = damaged & (not settings.deliver_damaged)
    if settings.loss is not None:
        lost[:, ~dropped] |= draw_trials(settings.loss, receivers, begin_s[..., ~dropped], seed=loss_seed)
    if settings.bit_error_rate and not settings.deliver_damaged:
        uniforms = np.random.default_rng(bits_seed).random(lost.shape)
        lost |= uniforms < packet_error_rate(settings.bit_error_rate, 8 * sizes)
    return lost


def _through_queue(settings: LinkSettings, offered_s: Floats, sizes: Sizes) -> tuple[Floats, Bools]:
    """When packets begin to be transmitted and which are dropped before, [packets]: the same on every link."""
    if not settings.has_rate:
        return offered_s, np.zeros(len(offered_s), dtype=np.bool_)
    link = Link(replace(settings, loss=None, bit_error_rate=0.0, duplicates=0.0), seed=0)
    passages = [link.carry(bytes(size), now) for size, now in zip(sizes.tolist(), offered_s.tolist(), strict=True)]
    begin_s = np.array([passage.begin_s for passage in passages])
    return begin_s, np.array([passage.fate is Fate.DROPPED for passage in passages])


def _through_radio(
    settings: LinkSettings, receivers: int, offered_s: Floats, sizes: Sizes, seed: SeedSequence
) -> tuple[Floats, Bools]:
    """When packets begin to be transmitted and which the modem fails to decode, [receivers, packets]."""
    if settings.queue_bytes is not None or settings.codel is not None:
        raise UsageError("many receivers over radio channels are drawn without queue limits: leave out queue and codel")
    assert settings.radio is not None
    channel_seed, modem_seed = seed.spawn(2)
    channel = RadioChannel(settings.radio, links=receivers, seed=channel_seed)
    bank = ModemBank(settings.modem or Modem(), channel, seed=modem_seed)
    begin_s = np.empty((receivers, len(offered_s)))
    damaged = np.empty((receivers, len(offered_s)), dtype=np.bool_)
    idle_at = np.zeros(receivers)
    for packet, (now, size) in enumerate(zip(offered_s.tolist(), sizes.tolist(), strict=True)):
        begin_s[:, packet] = np.maximum(now, idle_at)
        sent = bank.transmit(begin_s[:, packet], size)
        least_s = 0.0 if settings.rate_bps is None else 8 * size / settings.rate_bps
        idle_at = begin_s[:, packet] + np.maximum(sent.duration_s, least_s)
        damaged[:, packet] = sent.lost
    return begin_s, damaged
