"""A sender that serves over MQTT: one stream for all who subscribe, whenever they do.

photos ─ encoded once ─> session ─> broker ─┬─> receiver 1
                     then carousel ─> ╯     ├─> receiver 2, which came later: the broker has kept the base for it
                                            ╰─> ..

Every frame of a sequence is a stream like that of a photo, whole, with the time until its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from progressive.codec import ProgressiveCodec
from progressive.errors import UsageError
from progressive.runtime.background import Background, in_background
from progressive.shell.display import Display
from progressive.transport.mqtt.address import LOOPBACK, MqttAddress, parse_mqtt_url
from progressive.transport.mqtt.broker import EmbeddedBroker
from progressive.transport.mqtt.sending import MqttSender
from sender.frame_loop import SentFrame, open_sequence, send_frames
from sender.frames import is_sequence
from sender.options import SenderOptions
from sender.photos import Photos
from sender.prepare import PreparedPhoto, find_sources
from sender.publisher import Publisher
from sender.sequence import Turn
from sender.sequence_clock import SequenceClock
from sender.session import SenderSession
from sender.settled import settled

SERVED_SHARE = 0.95
"""The share of the receivers to plan for unless `--serve` names another."""


def publish(options: SenderOptions, display: Display) -> None:
    """Publishes the photos of the source, the last one again and again, until stopped or for as long as was asked.

    Raises UsageError before anything is published, or when a camera or a program fails; RunError if the broker refuses
    us later, or at the end if a photo could not be read.
    """
    with display:
        asyncio.run(publish_photos(options, display))


def _check(options: SenderOptions) -> None:
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
    course: _Photos | _Frames
    if is_sequence(options.source, options.every_s):
        course = _Frames(options, codec, display)
    else:
        course = _Photos(Photos(find_sources(options.source, display.note), options, codec, display))
    limit = asyncio.timeout(None)

    def begin() -> None:
        if options.serve_for_s is not None and limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + options.serve_for_s)

    try:
        async with _connected(address, options, display) as transport:
            await course.begin()  # before anything else is said: it may be no photo
            display.settings(options.in_words())
            display.note(f"publishing at {transport.address}")
            publisher = Publisher(options, transport, display, begin)
            try:
                with suppress(TimeoutError):
                    async with limit:
                        await course.run(publisher)
            finally:
                await publisher.say_farewell()
                display.summary(publisher.in_words())
    finally:
        course.close()
    course.check()


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


class _Photos:
    """The photos of a run, one after the other."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._first: PreparedPhoto | None = None

    async def begin(self) -> None:
        """Reads and encodes the first one. Raises UsageError if there is one photo, and it cannot be read or sent;
        RunError if none of several can."""
        self._first = await self._photos.next()
        if self._first is None:
            self._photos.check()

    async def run(self, publisher: Publisher) -> None:
        """Every photo once, then the last one again and again; never ends by itself if there is one."""
        current, self._first = self._first, None
        while current is not None:
            last = not self._photos.are_left
            coming = asyncio.create_task(self._photos.next())  # encoded while this one is sent
            session = await publisher.publish(current, last=last)
            following = await coming
            if following is None:
                await _repeat_last(publisher, current, session)
            current = following

    def close(self) -> None:
        """There is nothing to close."""

    def check(self) -> None:
        """Raises RunError if some could not be read or sent."""
        self._photos.check()


class _Frames:
    """The frames of a sequence, whole, as whoever subscribes now has none of them."""

    def __init__(self, options: SenderOptions, codec: ProgressiveCodec, display: Display) -> None:
        self._clock = SequenceClock(asyncio.get_running_loop().time)
        self._sequence = open_sequence(options, codec, self._clock, display.note)
        self._display = display
        self._latest: tuple[PreparedPhoto, SenderSession] | None = None
        self._reminding: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """The first frame is read when it is its time."""

    async def run(self, publisher: Publisher) -> None:
        """The newest frame whenever one is done, then the last one again and again, if there is one."""
        with Background() as worker:
            await send_frames(self._sequence, worker, lambda turn: self._publish(turn, publisher))
        self._display.note(self._sequence.in_words())
        self._stop_reminding()
        if self._latest is not None:
            await _repeat_last(publisher, *self._latest)

    def close(self) -> None:
        """Frames are read no more."""
        self._clock.stop()
        self._sequence.close()
        self._stop_reminding()

    def check(self) -> None:
        """Raises RunError if no frame was sent, or some could not be read."""
        self._sequence.check()

    async def _publish(self, turn: Turn, publisher: Publisher) -> SentFrame:
        self._stop_reminding()
        session = await publisher.publish(turn.prepared, last=False, deadline_s=turn.deadline_s)
        self._latest = turn.prepared, session
        self._reminding = asyncio.create_task(publisher.remind(session))
        return SentFrame(session.stream_id, session.offered, ())

    def _stop_reminding(self) -> None:
        if self._reminding is not None:
            self._reminding.cancel()


async def _repeat_last(publisher: Publisher, prepared: PreparedPhoto, session: SenderSession) -> None:
    """Again and again what was the last one, which nobody may have known while it was sent."""
    if session.more:
        await publisher.say_farewell()
        session.more = False
    await publisher.repeat(prepared, session)
