"""A sender that serves over MQTT: one stream for all who subscribe, whenever they do.

photos ─ encoded once ─> session ─> broker ─┬─> receiver 1
                     then carousel ─> ╯     ├─> receiver 2, which came later: the broker has kept the base for it
                                            ╰─> ..
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from math import inf

from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.runtime.background import in_background
from progressive.shell.display import Display
from progressive.transport.drive import drive
from progressive.transport.mqtt.address import LOOPBACK, MqttAddress, parse_mqtt_url
from progressive.transport.mqtt.broker import EmbeddedBroker
from progressive.transport.mqtt.sending import MqttSender
from sender.carousel import CarouselSession
from sender.display import SendingView
from sender.events import CannotOpen, ReportReceived, SenderEvent
from sender.farewell import farewell
from sender.frames import is_sequence
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.options import SenderOptions
from sender.photos import Photos
from sender.prepare import PreparedPhoto, find_sources
from sender.session import SenderSession
from sender.settled import settled
from sender.telling import telling

SERVED_SHARE = 0.95
"""The share of the receivers to plan for unless `--serve` names another."""

MAX_KNOWN = 100_000
"""Receivers that are told apart; further ones are served as well, but not announced."""

LINE_EVERY_S = 0.5
"""Least time between two lines about reports: as fast as a single receiver's come."""


def publish(options: SenderOptions, display: Display) -> None:
    """Publishes the photos of the source, the last one again and again, until stopped or for as long as was asked.

    Raises UsageError before anything is published, RunError if the broker refuses us later, or at the end if a photo
    could not be read.
    """
    with display:
        asyncio.run(publish_photos(options, display))


def _check(options: SenderOptions) -> None:
    if is_sequence(options.source, options.every_s):
        raise UsageError("mqtt:// serves photos, not sequences: leave --every out, or send to udp:// receivers")
    if options.settings.follow:
        raise UsageError(
            "over mqtt:// all receivers share one stream behind a broker: --bandwidth auto cannot follow, give a rate"
        )
    if options.settings.protection == "pet":
        raise UsageError("a broker keeps packets of the base, and with pet there are none: use another --protection")
    if options.settings.duty_cycle is not None:
        raise UsageError("a duty cycle is that of a radio of ours: leave --duty-cycle out, or send to udp:// receivers")
    if options.settings.headers == "short":
        raise UsageError("a broker keeps packets that are understood by themselves: leave --headers short out")
    options.access.envelope()  # tells of an unreadable key before anything starts


async def publish_photos(options: SenderOptions, display: Display) -> None:
    """As `publish`, in a running event loop; to stop it before its time, cancel it: receivers are told."""
    _check(options)
    address = parse_mqtt_url(options.to[0])
    settings = replace(options.settings, headers="long")  # what a broker keeps is understood by itself
    if settings.feedback and settings.serve is None:
        settings = replace(settings, serve=SERVED_SHARE)
    options = replace(options, settings=settings)
    codec, options = await in_background(settled, options)
    photos = Photos(find_sources(options.source, display.note), options, codec, display)
    async with _connected(address, options, display) as transport:
        display.settings(options.in_words())
        display.note(f"publishing at {transport.address}")
        publisher = _Publisher(photos, options, transport, display)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(options.serve_for_s):
                    await publisher.run()
        finally:
            await transport.send(farewell(secrets.randbits(32), options.access.envelope())[0])
            display.summary(publisher.in_words())
    photos.check()


@asynccontextmanager
async def _connected(address: MqttAddress, options: SenderOptions, display: Display) -> AsyncIterator[MqttSender]:
    """A connection to the broker, which runs in here if the address names none."""
    broker = None if address.host else EmbeddedBroker()
    if broker is not None:
        address = replace(address, host=LOOPBACK, port=await broker.start(address.port))
    try:
        transport = MqttSender(address, options.access, display.note, packet_size=options.settings.packet_size)
        try:
            await transport.open(patient=False)
            yield transport
        finally:
            await transport.leave()
    finally:
        if broker is not None:
            await broker.stop()


class _Publisher:
    """The photos of a run, one after the other."""

    def __init__(self, photos: Photos, options: SenderOptions, transport: MqttSender, display: Display) -> None:
        self._photos, self._options, self._transport, self._display = photos, options, transport, display
        self._clock = asyncio.get_running_loop().time
        self._losses: LossModel | None = None
        self._complete: dict[int, bool] = {}
        self._line_at = -inf
        self._advice = ""

    async def run(self) -> None:
        """Every photo once, then the last one again and again; never ends by itself if there is one."""
        current, following = await self._photos.next(), await self._photos.next()
        while current is not None:
            coming = asyncio.create_task(self._photos.next())
            self._display.note(current.in_words())
            view = self._view(current)
            session = await self._send(current, view, last=following is None)
            self._display.summary(view.closing_words())
            if following is None:
                await self._repeat(current, session, view)
            else:
                current, following = following, await coming

    def in_words(self) -> str:
        """What was served, in one line."""
        complete = sum(self._complete.values())
        dropped = f", {self._transport.dropped} packets not taken by the broker" if self._transport.dropped else ""
        heard = len(self._complete)
        return f"heard of {heard} receiver{'' if heard == 1 else 's'}, {complete} with the last photo whole{dropped}"

    def _view(self, prepared: PreparedPhoto) -> SendingView:
        started_s = self._clock()
        return SendingView(self._display, prepared.name, lambda: self._clock() - started_s)

    async def _send(self, prepared: PreparedPhoto, view: SendingView, *, last: bool) -> SenderSession:
        """Publishes a photo once; returns the session, which is over."""
        settings = self._options.settings
        self._complete = dict.fromkeys(self._complete, False)
        session = await in_background(
            SenderSession,
            prepared.packed,
            replace(settings, expect=self._losses or settings.expect),
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
        return session

    async def _repeat(self, prepared: PreparedPhoto, session: SenderSession, view: SendingView) -> None:
        """Again and again, until the sequence numbers are used up."""
        self._display.note("repeating it for receivers that come later: Ctrl-C stops")
        async with telling(prepared, session):
            carousel = CarouselSession(session, now=self._clock())
            await drive(carousel, self._transport, self._handler(session, view))

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
        name = f"receiver {report.receiver:08x}"
        is_new = report.receiver not in self._complete
        if is_new and len(self._complete) >= MAX_KNOWN:
            return False
        if is_new:
            self._complete[report.receiver] = False
            self._display.note(f"{name} is there")
            self._display.observe(ReceiverJoined(name))
        if complete and not self._complete[report.receiver]:
            self._complete[report.receiver] = True
            self._display.observe(ReceiverLeft(name, "complete"))
            return True
        return is_new
