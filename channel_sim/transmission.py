"""How packets leave one after another: at a rate, at a trace's opportunities or rates, or through a modem."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from channel_sim.traces import OPPORTUNITY_BYTES, DeliveryOpportunities, RateOverTime

if TYPE_CHECKING:
    from channel_sim.modem.modem import ModemState


class Sent(NamedTuple):
    """One transmission.

    Fields:
        end_s: when the last bit leaves, in seconds.
        lost: whether the receiver fails to decode it.
        bit_error_rate: of the bits of a packet that is lost, delivered all the same; 0 for others.
        mcs: name of the modem's modulation and coding scheme; empty without a modem.
    """

    end_s: float
    lost: bool = False
    bit_error_rate: float = 0.0
    mcs: str = ""


class Transmitter(Protocol):
    """One packet after the other, on the channel's own clock: seconds from 0."""

    def begins_at(self, now: float) -> float:
        """When a packet offered now would begin to be transmitted."""
        ...

    def transmit(self, size: int, begin_s: float) -> Sent:
        """Transmits a packet of `size` bytes from `begin_s`, which `begins_at` gave."""
        ...


class Immediate:
    """Takes no time."""

    def begins_at(self, now: float) -> float:
        return now

    def transmit(self, size: int, begin_s: float) -> Sent:
        return Sent(begin_s)


class ConstantRate:
    """So many bits per second."""

    def __init__(self, rate_bps: float) -> None:
        self._rate_bps = rate_bps
        self._idle_at = 0.0

    def begins_at(self, now: float) -> float:
        return max(now, self._idle_at)

    def transmit(self, size: int, begin_s: float) -> Sent:
        self._idle_at = begin_s + size * 8 / self._rate_bps
        return Sent(self._idle_at)


class AtRateOverTime:
    """At the rates of a throughput log."""

    def __init__(self, trace: RateOverTime) -> None:
        self._trace = trace
        self._idle_at = 0.0

    def begins_at(self, now: float) -> float:
        return max(now, self._idle_at)

    def transmit(self, size: int, begin_s: float) -> Sent:
        self._idle_at = self._trace.finish_s(begin_s, size * 8)
        return Sent(self._idle_at)


class AtOpportunities:
    """At the opportunities of a Mahimahi trace: packets that wait share one, and continue over several."""

    def __init__(self, trace: DeliveryOpportunities) -> None:
        self._trace = trace
        self._number = 0
        self._left = OPPORTUNITY_BYTES

    def begins_at(self, now: float) -> float:
        current = self._number if self._left else self._number + 1
        return self._trace.time_s(max(current, self._trace.at_or_after(now)))

    def transmit(self, size: int, begin_s: float) -> Sent:
        if self._trace.time_s(self._number) < begin_s or not self._left:
            self._number = max(self._number + 1, self._trace.at_or_after(begin_s))
            self._left = OPPORTUNITY_BYTES
        further = max(0, -(-(size - self._left) // OPPORTUNITY_BYTES))
        self._number += further
        self._left += further * OPPORTUNITY_BYTES - size
        return Sent(self._trace.time_s(self._number))


class ThroughModem:
    """Over a radio channel: the modem chooses the rate and the channel decides what is decoded."""

    def __init__(self, modem: ModemState, limit_bps: float | None) -> None:
        """
        Args:
            modem: sends the packets.
            limit_bps: what the link carries in bits per second however fast the modem is; None does not limit it.
        """
        self._modem = modem
        self._limit_bps = limit_bps
        self._idle_at = 0.0

    def begins_at(self, now: float) -> float:
        return max(now, self._idle_at)

    def transmit(self, size: int, begin_s: float) -> Sent:
        transmission = self._modem.transmit(begin_s, size)
        end_s = begin_s + transmission.duration_s
        self._idle_at = end_s
        if self._limit_bps is not None:
            self._idle_at = end_s = max(end_s, begin_s + size * 8 / self._limit_bps)
        return Sent(end_s, transmission.lost, transmission.bit_error_rate, transmission.mcs)
