"""What the receivers of a stream report, believed only as far as it can be true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil

from progressive.errors import WireError
from progressive.loss_model import LossModel
from progressive.wire.control import Report
from sender.loss_estimate import estimate_losses

MAX_LISTENERS = 1024
"""Receivers of a broadcast that are followed, a byte for each datagram sent; further ones are served unheard."""

FORGET_S = 60.0
"""A receiver that has not reported for so long has gone."""

REPORT_INTERVAL_S = 0.05
"""Reports of one receiver that come faster than this are dropped: half the shortest pause that an honest one keeps."""

_TOLERANCE = 1e-6


class Fate(IntEnum):
    """What is known of a datagram that was sent."""

    UNKNOWN = 0
    MISSING = 1
    ARRIVED = 2


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender can check a report against: datagrams sent so far, blocks and segments of the stream."""

    datagrams: int
    blocks: int
    segments: int


@dataclass(slots=True)
class Listener:
    """One receiver.

    Fields:
        report: its latest.
        heard_s: when that came.
        fates: of each datagram, by sequence number; those beyond the end are unknown.
    """

    report: Report
    heard_s: float
    fates: bytearray = field(default_factory=bytearray)

    def fate(self, sequence: int) -> Fate:
        return Fate(self.fates[sequence]) if sequence < len(self.fates) else Fate.UNKNOWN

    def note_recent(self) -> None:
        """Takes the fates that the report tells: what arrived once has arrived, what is missing may still come."""
        report = self.report
        if not report.recent:
            return
        self.fates.extend(bytes(max(0, report.latest + 1 - len(self.fates))))
        bits = int.from_bytes(report.recent, "big")
        count = 8 * len(report.recent)
        for back in range(min(count, report.latest + 1)):
            arrived = bits >> (count - 1 - back) & 1
            sequence = report.latest - back
            self.fates[sequence] = max(self.fates[sequence], Fate.ARRIVED if arrived else Fate.MISSING)


class Audience:
    """The receivers of one stream: a single one, or those of a broadcast, of which a share is to be served."""

    def __init__(self, assumed: LossModel, *, serve: float | None) -> None:
        """
        Args:
            assumed: the losses before anyone has reported.
            serve: share of the receivers of a broadcast to plan for, above 0 to 1; None for a single receiver.
        """
        self._assumed = assumed
        self._serve = serve
        self._listeners: dict[int, Listener] = {}

    @property
    def listeners(self) -> list[Listener]:
        return list(self._listeners.values())

    @property
    def heard(self) -> bool:
        return bool(self._listeners)

    @property
    def complete(self) -> bool:
        """Someone reported, and everyone who did has every segment."""
        return self.heard and all(listener.report.complete for listener in self._listeners.values())

    @property
    def ended(self) -> bool:
        """Someone reported, and everyone who did has heard the end."""
        return self.heard and all(listener.report.ended for listener in self._listeners.values())

    def take(self, report: Report, now: float, sent: Sent) -> bool:
        """Takes a report; False if it is older than one that came before.

        Raises WireError, and changes nothing, if the report cannot be true, comes too soon after the one before, or is
        of one receiver too many.
        """
        check_report(report, sent)
        place = 0 if self._serve is None else report.receiver
        listener = self._listeners.get(place)
        if listener is None:
            if len(self._listeners) >= MAX_LISTENERS:
                raise WireError(f"more than {MAX_LISTENERS} receivers report")
            listener = Listener(report, now)
        else:
            before = listener.report
            news = report.complete > before.complete or report.ended > before.ended
            if now - listener.heard_s < REPORT_INTERVAL_S and not news:
                raise WireError("reports come too fast")
            if report.receiver != before.receiver:
                listener = Listener(report, now)  # another one has taken the place of a single receiver
            elif report.received < before.received or report.latest < before.latest:
                return False
        listener.report, listener.heard_s = report, now
        listener.note_recent()
        self._listeners[place] = listener
        return True

    def losses(self) -> LossModel:
        """The losses to plan for: those of the receiver than which the share to serve loses no more."""
        if not self._listeners:
            return self._assumed
        report = self.served(lambda listener: -self._estimate(listener.report).loss).report
        return self._estimate(report)

    def served(self, score: Callable[[Listener], float]) -> Listener:
        """The receiver with the lowest score among the share to serve, which is those of the highest scores."""
        ranked = sorted(self._listeners.values(), key=score, reverse=True)
        return ranked[max(0, ceil((self._serve or 1.0) * len(ranked) - _TOLERANCE) - 1)]

    def _estimate(self, report: Report) -> LossModel:
        lost = report.expected - report.received
        return estimate_losses(self._assumed, sent=report.expected, lost=lost, burst=report.burst)


def check_report(report: Report, sent: Sent) -> None:
    """Raises WireError if the report contradicts itself or what was sent."""
    lost = report.expected - report.received
    horizon = report.latest + 1 if report.recent else sent.datagrams
    if max(horizon, report.latest + 1) > sent.datagrams or report.expected > horizon:
        raise WireError(f"report about more than the {sent.datagrams} datagrams that were sent")
    if not 1 <= report.received <= report.expected:
        raise WireError(f"report of {report.received} datagrams that arrived of {report.expected}")
    if abs(report.loss - lost / report.expected) > _TOLERANCE:
        raise WireError("report's loss contradicts its counts")
    if not (1 - _TOLERANCE <= report.burst <= lost + _TOLERANCE if lost else report.burst == 0):
        raise WireError(f"report of bursts of {report.burst:g} datagrams, with {lost} lost")
    if report.segments > sent.segments or report.layers > sent.blocks:
        raise WireError("report of segments or layers that do not exist")
    if report.complete and report.segments != sent.segments:
        raise WireError("report of a complete stream that lacks segments")
    arrived = int.from_bytes(report.recent, "big").bit_count()
    if report.recent and not (report.recent[0] & 0x80 and arrived <= report.received):
        raise WireError("report's datagrams contradict its counts")
