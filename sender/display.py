"""What the sending end says of a photo while it goes: packets, bytes, and what each receiver reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from progressive.loss_model import LossModel
from progressive.shell.display import Display, Progress
from progressive.units import counted, format_bandwidth, format_percent, format_size
from sender.audience import FORGET_S
from sender.events import PacketSent, RateFollowed, Replanned, ReportReceived, SenderEvent, StreamFinished


@dataclass(slots=True)
class Sending:
    """The stream to one receiver so far.

    Fields:
        to: address of the receiver.
        segments: of the stream, as far as it is planned to be sent.
        packets, bytes: sent, all kinds.
        repairs: packets sent again.
        reports: the latest of each receiver that was heard of in the last minute, by its identifier.
        losses: that the rest is planned for; None before the first report.
        rate_bps, queue_s: at which it is sent, and how long packets wait on the link, where the rate is followed.
        link_bps: the rate of the link, once it is found.
        reason: why the stream is over; None while it goes.
    """

    to: str
    segments: int
    packets: int = 0
    bytes: int = 0
    repairs: int = 0
    reports: dict[int, ReportReceived] = field(default_factory=dict)
    _heard_s: dict[int, float] = field(default_factory=dict)
    losses: LossModel | None = None
    rate_bps: float | None = None
    queue_s: float | None = None
    link_bps: float | None = None
    reason: str | None = None

    def take(self, report: ReportReceived, now: float) -> None:
        self.reports.pop(report.receiver, None)  # back to the end: the first is the one not heard of for longest
        self.reports[report.receiver], self._heard_s[report.receiver] = report, now
        while now - self._heard_s[oldest := next(iter(self.reports))] > FORGET_S:
            del self.reports[oldest], self._heard_s[oldest]

    @property
    def worst(self) -> ReportReceived | None:
        """Of the latest reports the one with the fewest segments, and of those the one with the highest loss."""
        return min(self.reports.values(), key=lambda report: (report.segments, -report.loss), default=None)


class SendingView:
    """One photo on its way to one or more receivers."""

    def __init__(
        self, display: Display, photo: str, elapsed_s: Callable[[], float], *, board: list[Sending] | None = None
    ) -> None:
        """
        Args:
            display: where to.
            photo: its name.
            elapsed_s: time since the first datagram, in seconds.
            board: what the display shows, where views of several photos share it; None for this photo alone.
        """
        self.sendings: list[Sending] = []
        self._board = self.sendings if board is None else board
        self._display = display
        self._photo = photo
        self._elapsed_s = elapsed_s

    def follow(self, to: str, segments: int) -> Callable[[SenderEvent], None]:
        """A place on the display for the stream to `to`; returns where its events go."""
        sending = Sending(to, segments)
        self.sendings.append(sending)
        if self._board is not self.sendings:
            self._board.append(sending)
        return lambda event: self._show(sending, event)

    def leave(self) -> None:
        """Takes this photo off a shared board."""
        own = {id(sending) for sending in self.sendings}
        self._board[:] = [sending for sending in self._board if id(sending) not in own]

    def _show(self, sending: Sending, event: SenderEvent) -> None:
        self._display.observe(event)
        match event:
            case PacketSent():
                sending.packets += 1
                sending.bytes += event.size
                sending.repairs += event.kind == "repair"
            case RateFollowed():
                sending.rate_bps, sending.queue_s, sending.link_bps = event.rate_bps, event.queue_s, event.link_bps
            case Replanned():
                sending.losses = event.losses
            case ReportReceived():
                sending.take(event, self._elapsed_s())
                self._display.event(self._record(sending, event), f"{self._elapsed_s():7.2f} s  {_line(sending)}")
            case StreamFinished():
                sending.reason = event.reason
        self._display.progress([Progress(s.to, _share(s), _words(s)) for s in self._board])

    def _record(self, sending: Sending, report: ReportReceived) -> dict[str, object]:
        return {
            "photo": self._photo,
            "to": sending.to,
            "time_s": self._elapsed_s(),
            "packets": sending.packets,
            "bytes": sending.bytes,
            "loss": report.loss,
            "burst": report.burst,
            "burst_s": report.burst_s,
            "segments": report.segments,
            "layers": report.layers,
            "receiver": report.receiver,
            "planned_loss": sending.losses.loss if sending.losses else None,
            "planned_burst": sending.losses.burst if sending.losses else None,
            **({} if sending.rate_bps is None else {"rate_bps": sending.rate_bps, "queue_s": sending.queue_s}),
        }

    def closing_words(self) -> str:
        """The one line that closes the photo."""
        ends = (f"{_line(s)}, {_REASONS[s.reason or 'cut']}" for s in self.sendings)
        return f"{self._photo}: {'; '.join(ends)}"


_REASONS = {
    "complete": "complete",
    "deadline": "stopped at the deadline",
    "silence": "nobody answered",
    "cut": "interrupted",
}


def _share(sending: Sending) -> float:
    worst = sending.worst
    return min(1.0, worst.segments / max(1, sending.segments)) if worst else 0.0


def _line(sending: Sending) -> str:
    return f"{sending.to}  {_words(sending)}"


def rate_in_words(rate_bps: float, link_bps: float | None) -> str:
    """How fast it goes; in the end rather what was found, as what goes last is sent slowly while the queue empties."""
    if link_bps is None:
        return f"at {format_bandwidth(rate_bps, digits=2)}"
    return f"over a link of {format_bandwidth(link_bps, digits=2)}"


def _words(sending: Sending) -> str:
    repairs = f" ({sending.repairs} again)" if sending.repairs else ""
    words = f"sent {counted(sending.packets, 'packet')}{repairs}, {format_size(sending.bytes, digits=3)}"
    if sending.rate_bps is not None:
        words += f", {rate_in_words(sending.rate_bps, sending.link_bps if sending.reason else None)}"
    report = sending.worst
    if report is None:
        return words
    loss = format_percent(report.loss, digits=2) + (f" in bursts of {report.burst:.1f}" if report.loss else "")
    by = f" by the worst of {len(sending.reports)} receivers" if len(sending.reports) > 1 else ""
    return f"{words}  reported{by} {report.segments} of {sending.segments} planned segments, loss {loss}"
