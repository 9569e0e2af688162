"""How fast a stream is sent: at the bandwidth that was given, or at the rate that its receiver's reports suggest."""

from __future__ import annotations

from sender.arrivals import Arrivals
from sender.audience import Listener
from sender.pacing import TokenBucket
from sender.rate_control import RateController
from sender.sent_packets import SentPackets
from sender.settings import SenderSettings

FIRST_PACKETS = 2
"""So many packets go at once where the rate is not known: the time between their arrivals is the first sign of it."""

ASKS = 4
"""How often a receiver is asked when packets arrive; one that does not tell by then is too old to know of it."""


class Pace:
    """Of one stream."""

    def __init__(self, settings: SenderSettings, control: RateController | None, *, now: float) -> None:
        """`control`: what follows the reports; None for the bandwidth of the settings."""
        self._settings, self._control = settings, control
        self._arrivals = Arrivals()
        self._receiver: int | None = None
        self._largest = settings.wire_size(settings.packet_size)
        self._told = control is None
        self._asks_left = 0 if control is None else ASKS
        self._ask_due = control is not None
        if control is None:
            self._rate_bps, depth = settings.bandwidth_bps, settings.burst_bytes
        else:
            self._rate_bps, depth = control.pace_bps(self._largest, now), FIRST_PACKETS * self._largest
        self._bucket = TokenBucket(self._rate_bps / 8, depth, now=now)

    @property
    def planned_bps(self) -> float:
        """The rate that the rest of the stream is planned for."""
        return self._settings.bandwidth_bps if self._control is None else self._control.rate_bps

    @property
    def is_asking(self) -> bool:
        """Whether the receiver should be asked now when packets arrive."""
        return self._ask_due and self._asks_left > 0

    def asked(self) -> None:
        self._ask_due = False
        self._asks_left -= 1

    def ready_at(self, size: int) -> float:
        """The earliest time, in seconds, at which `size` bytes may go, as far as is known now."""
        return self._bucket.ready_at(size)

    def take(self, size: int, now: float) -> None:
        """Notes that `size` bytes went."""
        self._bucket.take(size, now)
        if self._control is not None:
            self._control.sent(now)

    def advance(self, now: float) -> None:
        """Time passes."""
        if self._control is None:
            return
        rate_bps = self._control.pace_bps(self._largest, now)
        if rate_bps != self._rate_bps:
            self._rate_bps = rate_bps
            depth = FIRST_PACKETS * self._largest if not self._told else self._settings.burst_bytes_at(rate_bps)
            self._bucket.change(rate_bps / 8, depth, now)

    def hear(self, listener: Listener, sent: SentPackets, now: float) -> None:
        """Takes a report."""
        if self._control is None:
            return
        self._told = True
        if listener.report.receiver != self._receiver:
            if self._receiver is not None:
                self._arrivals = Arrivals()
                self._control.forget_delays()
            self._receiver = listener.report.receiver
        self._ask_due |= listener.report.arrived_ms is None and not listener.report.ended
        arrival = self._arrivals.take(listener, sent, now)
        if arrival is not None:
            self._control.take(arrival, now)
