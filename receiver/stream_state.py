"""A stream that is being received, and when and how it is reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from progressive.wire.control import MAX_RECENT, Report
from progressive.wire.packet import Kind, Packet
from receiver.loss_statistics import SequenceTracker
from receiver.reassembly import Reassembler
from receiver.told import Told

REPORT_INTERVAL_S = 0.5
REPEAT_INTERVAL_S = 0.1
"""Least pause between two reports that ask for something: to stop, or for packets of the base that are missing."""

REPORT_BYTES, SHORT_REPORT_BYTES = 250, 50
"""About what a report takes."""

ROOM_FOR_REPORT = 3
"""A sender that asks when packets arrive is told after so many times these bytes, which keeps what goes back to a third
of what came .."""

FIRST_REPORTS = 4
"""So many reports wait for nothing: a sender that does not know the rate of its link has to begin somewhere."""

SLOW_REPORT_INTERVAL_S = 2.0
""".. and not before this before as many bytes came as a report takes: else the way back would fill up on slow links."""

_CLOCK_MS = 1 << 32


@dataclass(slots=True)
class Reporter:
    """When and how to report about a stream; all that is kept of one that has ended, with its last report."""

    stream_id: int
    short: bool = False
    due: float = inf
    reported_at: float = -inf
    reports_sent: int = 0
    last: Report | None = None

    def ask(self, due: float) -> None:
        self.due = min(self.due, due)

    def ask_again(self, now: float) -> None:
        self.ask(max(now, self.reported_at + REPEAT_INTERVAL_S))

    def packet(self, report: Report, now: float) -> Packet:
        self.due, self.reported_at = inf, now
        self.reports_sent += 1
        return Packet(Kind.FEEDBACK, self.stream_id, self.reports_sent - 1, report.to_bytes(), short=self.short)


@dataclass(slots=True)
class StreamState:
    """The stream that is being received."""

    id: int
    reassembler: Reassembler
    reporter: Reporter
    first_packet_at: float
    last_packet_at: float
    tracker: SequenceTracker = field(default_factory=SequenceTracker)
    told: Told = field(default_factory=Told)
    started: bool = False
    quality_told: bool = False
    about_told: bool = False
    joined_late: bool = False
    asked: bool = False
    unreported_bytes: int = 0
    more: bool = False
    closes_at: float = inf
    judged_at: float = -inf
    leaves_at: float = inf

    @property
    def live(self) -> bool:
        """A packet of it has gone by, rather than been kept by somebody on the way."""
        return self.tracker.expected > 0

    def ask_for_report(self, size: int, now: float) -> None:
        """A packet of `size` bytes came that is nothing special: there is time for the report."""
        self.unreported_bytes += size
        report_bytes = SHORT_REPORT_BYTES if self.reporter.short else REPORT_BYTES
        if not self.asked:
            self.reporter.ask(now + REPORT_INTERVAL_S)
        elif self.unreported_bytes >= ROOM_FOR_REPORT * report_bytes or self.reporter.reports_sent < FIRST_REPORTS:
            self.reporter.ask_again(now)
        else:
            enough = self.unreported_bytes >= report_bytes
            self.reporter.ask(now + (REPORT_INTERVAL_S if enough else SLOW_REPORT_INTERVAL_S))

    def report(self, now: float | None, *, ended: bool, receiver_id: int) -> Report:
        """`now` is None for a report that may be repeated later, which tells no times."""
        tracker = self.tracker
        held_s = None if now is None or not self.asked else now - tracker.latest_s
        self.unreported_bytes = 0
        return Report(
            stream=self.id,
            received=tracker.received,
            expected=tracker.expected,
            loss=tracker.loss,
            burst=tracker.burst,
            segments=self.reassembler.segment_count,
            complete=self.reassembler.complete,
            ended=ended,
            receiver=receiver_id,
            burst_s=tracker.burst_s,
            layers=self.reassembler.whole_blocks,
            latest=tracker.latest,
            recent=tracker.recent(MAX_RECENT),
            arrived_ms=None if held_s is None else round(1000 * tracker.latest_s) % _CLOCK_MS,
            held_ms=None if held_s is None else min(_CLOCK_MS - 1, round(1000 * held_s)),
        )


def empty_report(stream_id: int, receiver_id: int) -> Report:
    """Of nothing that could be taken; no sender takes it for more than a sign of life."""
    return Report(
        stream=stream_id,
        received=0,
        expected=0,
        loss=0.0,
        burst=0.0,
        segments=0,
        complete=False,
        ended=False,
        receiver=receiver_id,
    )
