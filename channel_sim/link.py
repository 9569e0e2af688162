"""One direction of a simulated link. No clock and no sockets: `now` in, arrivals out."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

import numpy as np

from channel_sim.impairment import Impairment
from channel_sim.loss import LossProcess, LossSettings
from channel_sim.modem.damage import damage
from channel_sim.modem.mcs import packet_error_rate
from channel_sim.modem.modem import ModemState, bandwidth_hz
from channel_sim.modem.settings import Modem
from channel_sim.queue import CoDel, Queue
from channel_sim.radio.bounds import check_range
from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.settings import Radio
from channel_sim.traces import DeliveryOpportunities, RateOverTime, Trace
from channel_sim.transmission import (
    AtOpportunities,
    AtRateOverTime,
    ConstantRate,
    Immediate,
    Sent,
    ThroughModem,
    Transmitter,
)
from progressive.errors import UsageError
from progressive.units import format_bandwidth, format_percent, format_size, format_time


@dataclass(frozen=True, slots=True)
class Reordering:
    """Some packets come late, so that others overtake them.

    Fields:
        share: of the packets, 0..1.
        late_s: how much later these come, in seconds.
    """

    share: float
    late_s: float

    def __post_init__(self) -> None:
        check_range("a share of late packets", self.share, 0, 1)
        check_range("a late packet's delay", self.late_s, 0, 3600, "s")

    def __str__(self) -> str:
        return f"{format_percent(self.share)} late by {format_time(self.late_s)}"


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What a link does to packets; the default is a perfect link.

    Fields:
        loss: the chain that decides which packets are lost; None loses none.
        rate_bps: transmission rate in bits per second, 0.001 to 10^15, with a radio channel the most that the modem is
            given; None transmits in no time, or as fast as the modem or the trace does.
        delay_s: propagation delay in seconds.
        jitter_s: each packet is delayed further, uniformly between 0 and this; packets may overtake each other.
        queue_bytes: a packet that would wait together with more than this many bytes is dropped (the packet in
            transmission does not wait); None waits without limit.
        codel: active management of the queue; None lets packets wait.
        trace: a measured link to transmit over, instead of a rate or a radio channel.
        radio: a radio channel to transmit over.
        modem: what transmits over it; None is the default modem.
        bit_error_rate: share of the bits that arrive wrong, each by itself, 0..0.5.
        reordering: some packets come late; None for none.
        duplicates: share of the delivered packets that come twice, 0..1.
        deliver_damaged: packets with bit errors are delivered with them rather than lost.
        further: what other packages add.
    """

    loss: LossSettings | None = None
    rate_bps: float | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    queue_bytes: int | None = None
    codel: CoDel | None = None
    trace: Trace | None = None
    radio: Radio | None = None
    modem: Modem | None = None
    bit_error_rate: float = 0.0
    reordering: Reordering | None = None
    duplicates: float = 0.0
    deliver_damaged: bool = False
    further: tuple[Impairment, ...] = ()

    def __post_init__(self) -> None:
        if self.rate_bps is not None:
            check_range("a link's rate", self.rate_bps, 1e-3, 1e15, "bit/s")
        if self.queue_bytes is not None:
            check_range("a queue's limit", self.queue_bytes, 0, math.inf, "bytes")
        check_range("a link's delay", self.delay_s, 0, 3600, "s")
        check_range("a link's jitter", self.jitter_s, 0, 3600, "s")
        check_range("a bit error rate", self.bit_error_rate, 0, 0.5)
        check_range("a share of duplicates", self.duplicates, 0, 1)
        if self.trace is not None and (self.rate_bps is not None or self.radio is not None):
            raise UsageError("a trace says how fast the link is: leave out the trace, or rate and radio channel")
        if self.modem is not None and self.radio is None:
            raise UsageError("a modem needs a radio channel: add one, such as rayleigh:snr=12dB,doppler=10Hz")
        if not self.has_rate:
            for what, given in (("queue", self.queue_bytes), ("CoDel queue", self.codel)):
                if given is not None:
                    raise UsageError(f"a link with a {what} needs a rate: without one no packet ever waits")

    @property
    def has_rate(self) -> bool:
        """Whether packets take time to transmit."""
        return not (self.rate_bps is None and self.trace is None and self.radio is None)

    def _modem(self) -> Modem | None:
        """With the bandwidth that it takes from the radio channel."""
        if self.radio is None:
            return None
        modem = self.modem or Modem()
        return replace(modem, bandwidth_hz=bandwidth_hz(modem, self.radio))

    def __str__(self) -> str:
        """One line for a person, such as 'loss 10% in bursts of 5 packets, rate 50 kbit/s, delay 80 ms'."""
        parts = [str(part) for part in (self.radio, self._modem(), self.loss, self.trace) if part is not None]
        if self.rate_bps is not None:
            parts.append(f"rate {format_bandwidth(self.rate_bps)}")
        if self.delay_s:
            parts.append(f"delay {format_time(self.delay_s)}")
        if self.jitter_s:
            parts.append(f"jitter {format_time(self.jitter_s)}")
        if self.queue_bytes is not None:
            parts.append(f"queue {format_size(self.queue_bytes)}")
        if self.codel is not None:
            parts.append(str(self.codel))
        if self.bit_error_rate:
            parts.append(f"bit error rate {self.bit_error_rate:g}")
        if self.reordering is not None:
            parts.append(str(self.reordering))
        if self.duplicates:
            parts.append(f"{format_percent(self.duplicates)} twice")
        if self.deliver_damaged:
            parts.append("damaged packets delivered")
        parts += map(str, self.further)
        return ", ".join(parts) or "no impairment"


@dataclass(slots=True)
class LinkStatistics:
    """What a link has done so far.

    Fields:
        offered: packets, all of which were
        dropped: at the queue,
        lost: on the way, or
        delivered, of which some were
        damaged: had bit errors, or
        duplicated: came twice.
        delivered_bytes: of the delivered packets, each counted once.
    """

    offered: int = 0
    lost: int = 0
    dropped: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    damaged: int = 0
    duplicated: int = 0


class Fate(enum.Enum):
    """What became of a packet."""

    DELIVERED = "delivered"
    DAMAGED = "damaged"
    LOST = "lost"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Passage:
    """How one packet passed the link; times are seconds on the clock of `now`.

    Fields:
        fate: what became of it.
        offered_s: when the packet was offered.
        begin_s: when its transmission began, or would have.
        end_s: when its last bit left; `begin_s` for a packet dropped at the queue.
        arrivals: (time, bytes), none if it is lost or dropped, two if it is duplicated.
        mcs: name of the modem's modulation and coding scheme; empty without a modem.
    """

    fate: Fate
    offered_s: float
    begin_s: float
    end_s: float
    arrivals: list[tuple[float, bytes]]
    mcs: str = ""


class Link:
    """A one-way link that packets pass in this order.

        queue -> transmission (rate, trace or modem) -> losses, bit errors -> duplication -> delay, jitter, reordering
                                                        further impairments lose packets or delay them more

    A lost packet has used its share of the rate. Whatever is random is drawn from a stream of the seed of its own, so
    that the same packets are lost whatever the jitter.
    """

    def __init__(self, settings: LinkSettings, *, seed: int, start_s: float | None = None) -> None:
        """
        Args:
            settings: what the link does.
            seed: of all that is random.
            start_s: reading of the clock at which the radio channel or the trace starts; None starts it with the
                first packet, so that a link does the same on any clock.
        """
        self.settings = settings
        self.statistics = LinkStatistics()
        self.start_s = start_s
        seeds = np.random.SeedSequence(seed).spawn(6 + len(settings.further))
        loss_seed, jitter_seed, radio_seed, modem_seed, damage_seed, order_seed, *further_seeds = seeds
        self._further = [each.start(own) for each, own in zip(settings.further, further_seeds, strict=True)]
        self._loss = None if settings.loss is None else LossProcess(settings.loss, seed=loss_seed)
        self._jitter = np.random.default_rng(jitter_seed)
        self._damage = np.random.default_rng(damage_seed)
        self._order = np.random.default_rng(order_seed)
        self._queue = Queue(settings.queue_bytes, settings.codel)
        self.radio = None if settings.radio is None else RadioChannel(settings.radio, seed=radio_seed)
        self._transmitter = self._make_transmitter(modem_seed)

    def send(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Offers a packet at time `now` (never earlier than before), in seconds.

        Returns its arrivals as (time, bytes): none if the packet is lost or dropped.
        """
        return self.carry(data, now).arrivals

    def carry(self, data: bytes, now: float) -> Passage:
        """As `send`, and says how the packet passed."""
        if self.start_s is None:
            self.start_s = now
        self.statistics.offered += 1
        begin_s = self._transmitter.begins_at(now - self.start_s)
        if not self._queue.admits(len(data), now - self.start_s, begin_s):
            self.statistics.dropped += 1
            return Passage(Fate.DROPPED, now, self.start_s + begin_s, self.start_s + begin_s, [])
        sent = self._transmitter.transmit(len(data), begin_s)
        delays_s = self._delays_s()
        erased = self._loss is not None and self._loss.next_is_lost(begin_s)
        for passing in self._further:
            later_s = passing.delay_s(len(data), begin_s)
            erased = erased or later_s is None
            delays_s = [delay_s + max(0.0, later_s or 0.0) for delay_s in delays_s]
        received, damaged = self._damaged(data, sent)
        end_s = self.start_s + sent.end_s
        if erased or (damaged and not self.settings.deliver_damaged):
            self.statistics.lost += 1
            return Passage(Fate.LOST, now, self.start_s + begin_s, end_s, [], sent.mcs)
        self.statistics.delivered += 1
        self.statistics.delivered_bytes += len(data)
        self.statistics.damaged += damaged
        self.statistics.duplicated += len(delays_s) - 1
        fate = Fate.DAMAGED if damaged else Fate.DELIVERED
        arrivals = [(end_s + delay_s, received) for delay_s in delays_s]
        return Passage(fate, now, self.start_s + begin_s, end_s, arrivals, sent.mcs)

    def snr_db(self, now: float) -> float | None:
        """SNR of the radio channel at a time on the clock of `now`; None without a radio channel."""
        if self.radio is None:
            return None
        time_s = 0.0 if self.start_s is None else max(0.0, now - self.start_s)
        return float(self.radio.snr_db(np.array([time_s]))[0, 0])

    def _make_transmitter(self, modem_seed: np.random.SeedSequence) -> Transmitter:
        settings = self.settings
        if self.radio is not None:
            modem = ModemState(settings.modem or Modem(), self.radio, seed=modem_seed)
            return ThroughModem(modem, settings.rate_bps)
        match settings.trace:
            case DeliveryOpportunities() as trace:
                return AtOpportunities(trace)
            case RateOverTime() as trace:
                return AtRateOverTime(trace)
        return Immediate() if settings.rate_bps is None else ConstantRate(settings.rate_bps)

    def _delays_s(self) -> list[float]:
        """How long a packet is on its way after its last bit left, twice if it is duplicated."""
        settings = self.settings
        jitters_s = [self._jitter.uniform(0, settings.jitter_s)]
        late, twice, *again = self._order.random(4)
        lates = [late]
        if twice < settings.duplicates:
            jitters_s.append(again[0] * settings.jitter_s)
            lates.append(again[1])
        order = settings.reordering
        lates_s = [order.late_s if order is not None and late < order.share else 0.0 for late in lates]
        return [settings.delay_s + jitter + late for jitter, late in zip(jitters_s, lates_s, strict=True)]

    def _damaged(self, data: bytes, sent: Sent) -> tuple[bytes, bool]:
        """What the receiver's modem makes of the packet, and whether that differs from it."""
        damaged = sent.lost
        if sent.lost and self.settings.deliver_damaged:
            data = damage(data, sent.bit_error_rate, self._damage)
        rate = self.settings.bit_error_rate
        if rate and self._damage.random() < packet_error_rate(rate, 8 * len(data)):
            data, damaged = damage(data, rate, self._damage), True
        return data, damaged
