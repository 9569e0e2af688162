"""What a report tells of time: when its latest datagram left and arrived, and how much came since the one before."""

from __future__ import annotations

from dataclasses import dataclass

from sender.audience import Fate, Listener
from sender.sent_packets import SentPackets

_CLOCK_MS = 1 << 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """The latest datagram that arrived, and those since the one that the report before told of.

    Fields:
        sent_s: when it left.
        arrived_s: when it arrived, by the receiver's clock, or at a guess when the report came.
        held_s: how long the report waited after that.
        size: of it, in bytes on the wire.
        sent_bytes: of all datagrams after the one before, up to it, on the wire.
        arrived_bytes: those of them that arrived.
        sent, lost: how many these are, and how many of them did not arrive.
        since_s: when the first of them left.
        first: of its stream; the other figures are of the stream so far.
        timed: the receiver told when it arrived; else it may have been there for a while when the report left.
    """

    sent_s: float
    arrived_s: float
    held_s: float
    size: int
    sent_bytes: int
    arrived_bytes: int
    sent: int
    lost: int
    since_s: float
    first: bool = False
    timed: bool = True


class Arrivals:
    """The reports of one receiver about one stream."""

    def __init__(self) -> None:
        self._latest = -1
        self._clock_ms: int | None = None
        self._clock_s = 0.0

    def take(self, listener: Listener, sent: SentPackets, now: float) -> Arrival | None:
        """What the receiver's report, which came at `now`, tells; None if it is of no later datagram than before."""
        report, before = listener.report, self._latest
        if report.latest <= before:
            return None
        self._latest = report.latest
        told = report.arrived_ms is not None
        numbers = range(before + 1, report.latest + 1)
        arrived = [number for number in numbers if listener.fate(number) is Fate.ARRIVED]
        return Arrival(
            sent.sent_s(report.latest),
            self._unwrapped_s(report.arrived_ms) if report.arrived_ms is not None else now,
            (report.held_ms or 0) / 1000 if told else 0.0,
            sent.size(report.latest),
            sum(map(sent.size, numbers)),
            sum(map(sent.size, arrived)),
            len(numbers),
            len(numbers) - len(arrived),
            sent.sent_s(before + 1),
            first=before < 0,
            timed=told,
        )

    def _unwrapped_s(self, clock_ms: int) -> float:
        """The receiver's clock, which begins anew every 50 days."""
        step_ms = clock_ms if self._clock_ms is None else (clock_ms - self._clock_ms + _CLOCK_MS // 2) % _CLOCK_MS
        self._clock_s += (step_ms - (0 if self._clock_ms is None else _CLOCK_MS // 2)) / 1000
        self._clock_ms = clock_ms
        return self._clock_s
