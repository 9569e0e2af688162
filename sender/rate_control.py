"""The rate of a link that nobody knows, followed by what a receiver reports: numbers and `now` in, a rate out.

    rate = rate at which packets pass the link x (1 + (target - queueing delay) / (1.5 horizons))

The horizon is how long it takes until a change shows: a round trip, the time between reports, and half of that over
which the rate is measured. With fewer than 2 / pi horizons there the queue would swing ever more; with 1.5 it settles.

While nothing has waited for some time the rate grows by the accelerated ramp-up of NADA (RFC 8698, section 4.3, with
the longest wait for QBOUND, and the horizon for rtt + DELTA + DFILT), so that the queue is no longer than that once it
shows. NADA's gradual update is left out: the delay that it settles at grows without bound where rates are low. That the
rate is a multiple of what passes, less than it while the queue is too long and more while it is too short, so that
packets wait for a given time, is PropRate's rule (Wang, Leong and Leong 2017), which has two multiples. A lost packet
counts as one that passed, unless `LossJudge` finds that the link is full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from sender.arrivals import Arrival
from sender.loss_judge import LossJudge
from sender.queue_delay import QueueDelay

START_BPS = 20_000.0
LEAST_BPS, MOST_BPS = 200.0, 20e6

WINDOW_S = 0.15
"""The rate is measured over so long a time, or over one packet where that takes longer."""

LEAST_FACTOR, MOST_FACTOR = 0.3, 2.0
"""Of what passes; NADA has 1.5 at most, for videos, which need not be there within seconds."""

DAMPING = 1.5
"""Horizons within which the queue is to be as long as it should."""

UNTIMED_REPORTS = 4
"""Where a receiver tells no times, the shortest wait of so many reports counts."""

MOST_FIRST_JUMP = 32.0
"""What the first measurement, of two packets sent at once, may raise the rate to beside what it was."""

CALM_HORIZONS = 2
"""While nothing has waited for so long, the rate grows as at the start."""

RECALL_S, RECALL_HORIZONS = 3.0, 4
"""How long the rate at which a queue was served, or at which more came than was sent, is gone back to at once when
nothing waits any more."""

SERVED_REPORTS = 4
"""Of so many reports of a queue the highest rate is that of the link: behind the last packets it lies idle."""

LITTLE = 0.5
"""Of what might have been sent."""

HALF_LIFE_S = 5.0
"""A rate at which nothing has been sent for so long may be twice that of the link by now."""

MOST_GAP_S = 2.0
"""In silence a packet is sent so often at the least, so that it is noticed when it is over."""

CLOCK_ERROR_S = 0.05
"""Clocks that are right differ by less over the time that packets are on their way."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """How many bytes had passed the link by when, lost ones included, and how many of them had arrived."""

    sent_s: float
    arrived_s: float
    bytes: int
    arrived_bytes: int


class RateController:
    """Follows one receiver over one stream after the other.

        sent ──> (nothing heard for too long: ever fewer packets)
        take ──> rate

    Fields:
        rate_bps: as the latest report suggests, in bits per second.
        queue_s: the queueing delay of the latest datagram that was told of, in seconds.
    """

    def __init__(self, queue_delay_s: float) -> None:
        """`queue_delay_s`: the longest that packets may wait on the link behind others of the stream, in seconds; the
        rate settles where they wait for half as long."""
        self.rate_bps = START_BPS
        self.queue_s = 0.0
        self._most_s, self._target_s = queue_delay_s, queue_delay_s / 2
        self._delays, self._losses = QueueDelay(), LossJudge()
        self._marks: deque[_Mark] = deque()
        self._untimed_s: deque[float] = deque(maxlen=UNTIMED_REPORTS)
        self._heard_s: float | None = None
        self._sent_s: float | None = None
        self._waiting_since = inf
        self._rtt_s, self._interval_s = 0.0, 0.1
        self._measured, self._queued_s = False, -inf
        self._capacity_bps, self._capacity_s = 0.0, -inf
        self._was_queued = False
        self._served_bps: deque[float] = deque(maxlen=SERVED_REPORTS)

    @property
    def link_bps(self) -> float | None:
        """What the link passes, in bits per second: how fast packets arrived while they waited on it for each other;
        None if they have not."""
        return max(self._served_bps, default=None)

    @property
    def horizon_s(self) -> float:
        """How long it takes until a change of the rate shows in what is measured."""
        return self._rtt_s + self._interval_s + WINDOW_S / 2

    def sent(self, now: float) -> None:
        """A datagram left."""
        if self._sent_s is not None and now - self._sent_s > HALF_LIFE_S:
            aged_bps = self.rate_bps * 0.5 ** ((now - self._sent_s) / HALF_LIFE_S)
            self.rate_bps = max(aged_bps, min(self.rate_bps, START_BPS))
        self._sent_s = now
        self._waiting_since = min(self._waiting_since, now)

    def pace_bps(self, packet_size: int, now: float) -> float:
        """How fast to send packets of so many bytes now: less than `rate_bps` while reports are overdue."""
        patience_s = self._rtt_s + 2 * self._interval_s if self._measured else 0.0
        waited_s = now - self._waiting_since
        if waited_s <= patience_s:
            return self.rate_bps
        return min(self.rate_bps, packet_size * 8 / min(waited_s, MOST_GAP_S))

    def take(self, arrival: Arrival, now: float) -> None:
        """A report came at `now`."""
        self._mark(arrival)
        passed_bps = self._rate_bps(lambda mark: mark.bytes)
        there_and_back_s = max(0.0, now - arrival.sent_s - arrival.held_s)
        self.queue_s = self._queueing_delay(arrival, there_and_back_s, passed_bps, now)
        self._note_times(there_and_back_s - self.queue_s, now)
        all_told = self._sent_s is None or arrival.sent_s >= self._sent_s
        self._waiting_since = inf if all_told else now
        if passed_bps is not None:
            if self.queue_s >= self._target_s:
                self._losses.note_queue(now)
            arrived_bps = self._rate_bps(lambda mark: mark.arrived_bytes) or 0.0
            self._losses.take(arrival.sent, arrival.lost, arrived_bps, arrival.since_s, now)
            self._follow(passed_bps, now)

    def forget_delays(self) -> None:
        """Another receiver has taken the place of the one before: its clock says something else."""
        self._delays = QueueDelay()

    def _mark(self, arrival: Arrival) -> None:
        marks = self._marks
        if arrival.first:
            marks.clear()
        passed, arrived = (marks[-1].bytes, marks[-1].arrived_bytes) if marks else (0, 0)
        sums = passed + arrival.sent_bytes, arrived + arrival.arrived_bytes
        marks.append(_Mark(arrival.sent_s, arrival.arrived_s, *sums))
        while len(marks) > 2 and arrival.arrived_s - marks[1].arrived_s >= WINDOW_S:
            marks.popleft()

    def _rate_bps(self, of: Callable[[_Mark], int]) -> float | None:
        """How fast this has grown lately, in bit/s; None if that is not known."""
        first, latest = self._marks[0], self._marks[-1]
        span_s = latest.arrived_s - first.arrived_s
        return 8 * (of(latest) - of(first)) / span_s if span_s > 0 else None

    def _has_sent_little(self) -> bool:
        """Far less was sent lately than might have been, so that little passed says little."""
        first, latest = self._marks[0], self._marks[-1]
        return 8 * (latest.bytes - first.bytes) < LITTLE * self.rate_bps * (latest.sent_s - first.sent_s)

    def _queueing_delay(self, arrival: Arrival, limit_s: float, rate_bps: float | None, now: float) -> float:
        delay_s = arrival.arrived_s - arrival.sent_s
        queue_s = self._delays.take(delay_s, arrival.size, now, rate_bps)
        if queue_s > limit_s + CLOCK_ERROR_S:
            self.forget_delays()  # by our own clock the packet was on its way for less: the receiver's was set
            queue_s = self._delays.take(delay_s, arrival.size, now, rate_bps)
        queue_s = min(queue_s, limit_s)
        if arrival.timed:
            return queue_s
        self._untimed_s.append(queue_s)
        return min(self._untimed_s)

    def _note_times(self, rtt_s: float, now: float) -> None:
        if self._heard_s is None:
            self._rtt_s = rtt_s
        else:
            self._rtt_s += (rtt_s - self._rtt_s) / 4
            interval_s = min(2 * self._interval_s, now - self._heard_s)  # a silence is no interval
            self._interval_s += (interval_s - self._interval_s) / 4
        self._heard_s = now

    def _follow(self, passed_bps: float, now: float) -> None:
        if not self._measured:
            passed_bps = min(passed_bps, MOST_FIRST_JUMP * self.rate_bps)
        is_queued = self.queue_s > self._target_s / 2
        if is_queued:
            self._queued_s = now
        factor = 1 + (self._target_s - self.queue_s) / (DAMPING * self.horizon_s)
        if now - self._queued_s > CALM_HORIZONS * self.horizon_s:
            factor = 1 + self._most_s / self.horizon_s if self._measured else 1.0
        rate_bps = passed_bps * min(MOST_FACTOR, max(LEAST_FACTOR, factor))
        if is_queued and self._was_queued and not self._has_sent_little():
            self._served_bps.append(passed_bps)
        self._was_queued = is_queued
        if is_queued or passed_bps > self.rate_bps:
            self._capacity_bps, self._capacity_s = passed_bps, now
        if not is_queued or (self.queue_s <= self._target_s and self._has_sent_little()):
            # Little waits, so what was sent is not too much; what passes may be less as it was sent more slowly.
            is_fresh = now - self._capacity_s < max(RECALL_S, RECALL_HORIZONS * self.horizon_s)
            rate_bps = max(rate_bps, self.rate_bps, self._capacity_bps if is_fresh else 0.0)
        self._measured = True
        self.rate_bps = min(MOST_BPS, max(LEAST_BPS, min(rate_bps, self._losses.most_bps)))
