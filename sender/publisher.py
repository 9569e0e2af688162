"""One stream after the other to all who subscribe at a broker, and what they report."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from math import inf

from progressive.loss_model import LossModel
from progressive.runtime.background import in_background
from progressive.shell.display import Display
from progressive.transport.drive import drive
from progressive.transport.mqtt.sending import MqttSender
from sender.carousel import CarouselSession
from sender.display import SendingView
from sender.events import CannotOpen, ReportReceived, SenderEvent
from sender.farewell import farewell, reminder
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.options import SenderOptions
from sender.prepare import PreparedPhoto
from sender.session import SenderSession
from sender.telling import telling

MAX_KNOWN = 100_000
"""Receivers that are told apart; further ones are served as well, but not announced."""

LINE_EVERY_S = 0.5
"""Least time between two lines about reports: as fast as a single receiver's come."""

REMIND_EVERY_S = 10.0
"""How often, between two streams, receivers hear of the sender: they wait half a minute at a broker."""


class Publisher:
    """Publishes photos and frames, each by what was learnt with the one before."""

    def __init__(
        self,
        options: SenderOptions,
        transport: MqttSender,
        display: Display,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_begin` is called when a stream begins."""
        self._options, self._transport, self._display, self._on_begin = options, transport, display, on_begin
        self._clock = asyncio.get_running_loop().time
        self._is_last = True
        self._losses: LossModel | None = None
        self._complete: dict[int, bool] = {}
        self._line_at = -inf
        self._advice = ""

    def in_words(self) -> str:
        """What was served, in one line."""
        complete = sum(self._complete.values())
        dropped = f", {self._transport.dropped} packets not taken by the broker" if self._transport.dropped else ""
        heard = len(self._complete)
        return f"heard of {heard} receiver{'' if heard == 1 else 's'}, {complete} with the last photo whole{dropped}"

    async def publish(self, prepared: PreparedPhoto, *, last: bool, deadline_s: float | None = None) -> SenderSession:
        """Publishes a photo once, by a deadline of its own if one is said; returns the session, which is over."""
        settings = self._options.settings
        self._on_begin()
        self._display.note(prepared.in_words())
        view = self._view(prepared)
        self._is_last = last
        self._complete = dict.fromkeys(self._complete, False)
        session = await in_background(
            SenderSession,
            prepared.packed,
            replace(
                settings,
                expect=self._losses or settings.expect,
                deadline_s=settings.deadline_s if deadline_s is None else deadline_s,
            ),
            stream_id=secrets.randbits(32),
            now=self._clock(),
            more=not last,
            envelope=self._options.access.envelope(),
            repeats=last,
        )
        await self._transport.begin_stream(session.base_blocks)
        async with telling(prepared, session):
            await drive(session, self._transport, self._handler(session, view))
        self._losses = session.losses
        self._display.summary(view.closing_words())
        return session

    async def repeat(self, prepared: PreparedPhoto, session: SenderSession) -> None:
        """Again and again, until the sequence numbers are used up."""
        if not self._is_last:  # nobody knew that it was
            self._is_last = True
            for receiver in (receiver for receiver, complete in self._complete.items() if complete):
                self._display.observe(ReceiverLeft(_name(receiver), "complete"))
        self._display.note("repeating it for receivers that come later: Ctrl-C stops")
        async with telling(prepared, session):
            carousel = CarouselSession(session, now=self._clock())
            await drive(carousel, self._transport, self._handler(session, self._view(prepared)))

    async def remind(self, session: SenderSession) -> None:
        """Until cancelled: lets those who have heard of a stream, which is over, know now and then that others come."""
        envelope, sequence = self._options.access.envelope(), session.datagrams_sent
        while True:
            await asyncio.sleep(REMIND_EVERY_S)
            await self._transport.send(reminder(session.stream_id, sequence, envelope))
            sequence += 1

    async def say_farewell(self) -> None:
        """Nothing more follows."""
        await self._transport.send(farewell(secrets.randbits(32), self._options.access.envelope())[0])

    def _view(self, prepared: PreparedPhoto) -> SendingView:
        started_s = self._clock()
        return SendingView(self._display, prepared.name, lambda: self._clock() - started_s)

    def _handler(self, session: SenderSession, view: SendingView) -> Callable[[SenderEvent], None]:
        """Shows events, of reports no more than a person can follow."""
        segments = len(session.stream.segments)
        show = view.follow(str(self._transport.address), segments)

        def on_event(event: SenderEvent) -> None:
            if isinstance(event, CannotOpen) and event.advice != self._advice:
                self._advice = event.advice
                self._display.note(f"somebody answers, but {event.advice}")
            if isinstance(event, ReportReceived):
                is_news = self._note_receiver(event, complete=event.segments == segments)
                if not is_news and self._clock() < self._line_at:
                    return
                self._line_at = self._clock() + LINE_EVERY_S
            show(event)

        return on_event

    def _note_receiver(self, report: ReportReceived, *, complete: bool) -> bool:
        """Whether this receiver was not heard of before, or has everything now."""
        name = _name(report.receiver)
        is_new = report.receiver not in self._complete
        if is_new and len(self._complete) >= MAX_KNOWN:
            return False
        if is_new:
            self._complete[report.receiver] = False
            self._display.note(f"{name} is there")
            self._display.observe(ReceiverJoined(name))
        if complete and not self._complete[report.receiver]:
            self._complete[report.receiver] = True
            if self._is_last:
                self._display.observe(ReceiverLeft(name, "complete"))
            return True
        return is_new


def _name(receiver: int) -> str:
    return f"receiver {receiver:08x}"
