"""How fast a stream is sent: at the bandwidth that was given, or at the rate that its receiver's reports suggest; by
radio no more than its duty cycle allows."""

from __future__ import annotations

from sender.airtime import Airtime
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

    def __init__(
        self,
        settings: SenderSettings,
        control: RateController | None,
        airtime: Airtime | None = None,
        *,
        end_bytes: int = 0,
        now: float,
    ) -> None:
        """
        Args:
            settings: of the stream.
            control: what follows the reports; None for the bandwidth of the settings.
            airtime: of the radio that it is sent by; None without a duty cycle.
            end_bytes: on the wire, that a duty cycle must leave for the end of the stream.
            now: the time, in seconds.
        """
        self._settings, self._control, self._airtime, self._end_bytes = settings, control, airtime, end_bytes
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

    @property
    def has_duty_cycle(self) -> bool:
        return self._airtime is not None

    def ready_at(self, size: int, *, is_end: bool = False) -> float:
        """The earliest time, in seconds, at which `size` bytes may go, as far as is known now; by a duty cycle, unless
        they are of the end, only if that can follow."""
        ready_s = self._bucket.ready_at(size)
        if self._airtime is None:
            return ready_s
        on_air = size if is_end else size + self._end_bytes
        return max(ready_s, self._airtime.ready_at(self._settings.airtime_of(on_air)))

    def bytes_until(self, deadline: float, now: float) -> int:
        """Bytes that may leave until then; what a duty cycle leaves for the end comes off."""
        if self._airtime is None:
            return int((deadline - now) * self.planned_bps / 8)
        available = self._airtime.available_s(now, deadline) * self._settings.bandwidth_bps / 8
        return max(0, int(available) - self._end_bytes)

    def take(self, size: int, now: float) -> None:
        """Notes that `size` bytes went."""
        self._bucket.take(size, now)
        if self._airtime is not None:
            self._airtime.take(self._settings.airtime_of(size), now)
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
