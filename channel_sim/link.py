"""One direction of a simulated link: queue, rate, loss, delay. No clock and no sockets: `now` in, arrivals out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from channel_sim.loss import LossProcess
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.units import format_bandwidth, format_percent, format_size, format_time


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What a link does to packets; the default is a perfect link.

    Fields:
        loss: the chain that decides which packets are lost; None loses none.
        rate_bps: transmission rate in bits per second; None transmits in no time.
        delay_s: propagation delay in seconds.
        jitter_s: each packet is delayed further, uniformly between 0 and this; packets may overtake each other.
        queue_bytes: a packet that would wait together with more than this many bytes is dropped (the packet in
            transmission does not wait); None waits without limit.
    """

    loss: LossModel | None = None
    rate_bps: float | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    queue_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.rate_bps is not None and not self.rate_bps > 0:
            raise UsageError(f"a link rate of {self.rate_bps:.4g} bit/s carries nothing: use more than 0")
        if not (self.delay_s >= 0 and self.jitter_s >= 0):
            raise UsageError("a link's delay and jitter cannot be negative")
        if self.queue_bytes is not None and self.rate_bps is None:
            raise UsageError("a link with a queue needs a rate: without one no packet ever waits")

    def __str__(self) -> str:
        """One line for a person, such as 'loss 10% in bursts of 5 packets, rate 50kbps, delay 80ms'."""
        parts = []
        if self.loss is not None:
            bursts = "" if self.loss.burst is None else f" in bursts of {self.loss.burst:g} packets"
            parts.append(f"loss {format_percent(self.loss.loss)}{bursts}")
        if self.rate_bps is not None:
            parts.append(f"rate {format_bandwidth(self.rate_bps)}")
        if self.delay_s:
            parts.append(f"delay {format_time(self.delay_s)}")
        if self.jitter_s:
            parts.append(f"jitter {format_time(self.jitter_s)}")
        if self.queue_bytes is not None:
            parts.append(f"queue {format_size(self.queue_bytes)}")
        return ", ".join(parts) or "no impairment"


@dataclass(slots=True)
class LinkStatistics:
    """What a link has done so far: packets offered, lost on the way, dropped at the queue, and bytes delivered."""

    offered: int = 0
    lost: int = 0
    dropped: int = 0
    delivered: int = 0
    delivered_bytes: int = 0


class Link:
    """A one-way link that packets pass in this order.

        queue (tail drop) -> transmission at the rate -> loss -> propagation delay and jitter -> arrival

    A lost packet has used its share of the rate. Losses and jitter are drawn from separate streams of the seed, so
    that the same packets are lost whatever the jitter.
    """

    def __init__(self, settings: LinkSettings, *, seed: int) -> None:
        self.settings = settings
        self.statistics = LinkStatistics()
        loss_seed, jitter_seed = np.random.SeedSequence(seed).spawn(2)
        self._loss = LossProcess(settings.loss, seed=loss_seed) if settings.loss is not None else None
        self._jitter = np.random.default_rng(jitter_seed)
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0
        self._idle_at = 0.0

    def send(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Offers a packet at time `now` (never earlier than before), in seconds.

        Returns its arrivals as (time, bytes): none if the packet is lost or dropped.
        """
        self.statistics.offered += 1
        sent_at = self._transmit(len(data), now)
        if sent_at is None:
            self.statistics.dropped += 1
            return []
        extra_s = self._jitter.uniform(0, self.settings.jitter_s)
        if self._loss is not None and self._loss.next_is_lost():
            self.statistics.lost += 1
            return []
        self.statistics.delivered += 1
        self.statistics.delivered_bytes += len(data)
        return [(sent_at + self.settings.delay_s + extra_s, data)]

    def _transmit(self, size: int, now: float) -> float | None:
        """When the packet's last bit leaves, or None if the queue has no room for it."""
        if self.settings.rate_bps is None:
            return now
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting_bytes -= self._waiting.popleft()[1]
        starts_at = max(now, self._idle_at)
        if starts_at > now:
            if self.settings.queue_bytes is not None and self._waiting_bytes + size > self.settings.queue_bytes:
                return None
            self._waiting.append((starts_at, size))
            self._waiting_bytes += size
        self._idle_at = starts_at + size * 8 / self.settings.rate_bps
        return self._idle_at
