"""A sender that serves over WebRTC: whoever joins gets every photo, in a stream and at a pace of its own.

photos ─ encoded once ─> course ─┬─> session ─> receiver 1
                                 ├─> session ─> receiver 2, which came later and begins with the base as well
                                 ╰─> ..
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.registry import CODECS, WEIGHTS
from progressive.runtime.background import in_background
from progressive.shell.display import Display
from progressive.stream import StreamHeader
from progressive.transport.drive import drive
from progressive.transport.webrtc.peer import MAX_MESSAGE
from progressive.transport.webrtc.server import Joined, WebRtcServer, open_server
from progressive.wire.envelope import PlainEnvelope
from sender.display import Sending, SendingView
from sender.farewell import farewell
from sender.frames import is_sequence
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.options import SenderOptions
from sender.photos import Photos
from sender.prepare import PreparedPhoto, find_sources
from sender.rate_control import RateController
from sender.rounds import Course
from sender.session import SenderSession
from sender.settings import SenderSettings
from sender.settled import settled
from sender.telling import telling

FOLLOWED_BUFFER_BYTES = 64_000
"""The same where the rate is followed: what waits here counts as waiting on the link, of which there is little."""

BUFFERED_S = 0.25
"""What may wait to be sent to a receiver, in time: more than that comes too late to be worth its place."""

LEAVE_S = 1.0
"""How long receivers may take to leave once they were told that nothing more comes."""


def serve(options: SenderOptions, display: Display) -> None:
    """Serves the photos of the source to all receivers that join, until stopped or for as long as was asked.

    Raises UsageError before anybody can join, RunError at the end if a photo could not be read.
    """
    with display:
        asyncio.run(serve_photos(options, display))


def _check(options: SenderOptions) -> None:
    if is_sequence(options.source, options.every_s):
        raise UsageError("webrtc:// serves photos, not sequences: leave --every out, or send to udp:// receivers")
    if options.settings.duty_cycle is not None:
        raise UsageError("a duty cycle is that of a radio of ours: leave --duty-cycle out, or send to udp:// receivers")
    if options.settings.headers == "short":
        raise UsageError("browsers know long headers only: leave --headers short out")
    if options.settings.serve is not None:
        raise UsageError("over webrtc:// every receiver has a stream of its own: leave --serve out")
    if options.settings.packet_size > MAX_MESSAGE:
        size = options.settings.packet_size
        raise UsageError(f"packets of {size} bytes are too large for webrtc://: use {MAX_MESSAGE}B or fewer")


async def serve_photos(options: SenderOptions, display: Display) -> None:
    """As `serve`, in a running event loop; to stop it before its time, cancel it: receivers are told."""
    _check(options)
    options = replace(options, settings=replace(options.settings, headers="long"))
    codec, options = await in_background(settled, options)
    photos = Photos(find_sources(options.source, display.note), options, codec, display)
    course = Course(photos)
    settings = options.settings
    buffered = FOLLOWED_BUFFER_BYTES if settings.follow else int(BUFFERED_S * settings.bandwidth_bps / 8)
    buffer_bytes = max(8 * settings.packet_size, buffered)
    server = await open_server(options.to[0], options.access, display.note, buffer_bytes=buffer_bytes)
    served = _Served(course, settings, display)
    try:
        first = await course.photo(0)
        display.settings(options.in_words())
        if first is None:
            photos.check()
            return
        display.note(first.in_words())
        server.page.hand_out(weights_of(codec.name, first.packed.stream.header))
        display.link(f"serving at {server.address}, for browsers at {server.address.link}", server.invitation)
        with suppress(TimeoutError):
            async with asyncio.timeout(options.serve_for_s):
                await served.run(server)
    finally:
        await served.stop()
        await server.close()
        display.summary(served.in_words(server))
    photos.check()


def weights_of(codec: str, header: StreamHeader) -> dict[str, Path]:
    """The weight file that browsers need to decode such streams, by its model id; none if the codec has none."""
    name = CODECS[codec].weights
    return {header.model_id.hex(): WEIGHTS / name} if name else {}


class _Served:
    """The receivers that have joined, each with a task of its own."""

    def __init__(self, course: Course, settings: SenderSettings, display: Display) -> None:
        self._course, self._settings, self._display = course, settings, display
        self._board: list[Sending] = []
        self._tasks: dict[asyncio.Task[None], Joined] = {}

    async def run(self, server: WebRtcServer) -> None:
        """Serves whoever joins; never ends by itself."""
        while True:
            receiver = await server.next_receiver()
            task = asyncio.create_task(self._serve_one(receiver))
            self._tasks[task] = receiver
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """What went wrong with one receiver is said, and the others are served."""
        receiver = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._display.note(f"error: {receiver.name}: {error}")
            receiver.transport.close()

    async def stop(self) -> None:
        """Tells those that are still there that nothing more comes, and lets them leave."""
        serving = dict(self._tasks)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        end = farewell(secrets.randbits(32), PlainEnvelope())[0]
        for receiver in serving.values():
            await receiver.transport.send(end)
        await asyncio.gather(*(receiver.transport.wait_lost(LEAVE_S) for receiver in serving.values()))

    def in_words(self, server: WebRtcServer) -> str:
        """What was served, in one line."""
        statistics = server.statistics
        refused = f", {statistics.refused} requests refused" if statistics.refused else ""
        failed = f", {statistics.failed} could not connect" if statistics.failed else ""
        receivers = f"{statistics.joined} receiver" + "s" * (statistics.joined != 1)
        return f"served {receivers}{failed}{refused}"

    async def _serve_one(self, receiver: Joined) -> None:
        transport = receiver.transport
        self._display.note(f"{receiver.name} joined")
        self._display.observe(ReceiverJoined(receiver.name))
        losses, control = self._settings.expect, None
        reason = "stopped"
        try:
            following = await self._course.photo(0)
            for number in count(1):
                prepared, following = following, await self._course.photo(number)
                if prepared is None or transport.closed:
                    break
                session = await self._send(prepared, receiver, losses, control, more=following is not None)
                losses, control = session.losses, session.control
            reason = "left" if transport.closed else "served"
            transport.close()
        finally:
            self._display.observe(ReceiverLeft(receiver.name, reason))

    async def _send(
        self,
        prepared: PreparedPhoto,
        receiver: Joined,
        losses: LossModel,
        control: RateController | None,
        *,
        more: bool,
    ) -> SenderSession:
        """Streams a photo to a receiver, by what was learnt of its link; returns the session, which is over."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        view = SendingView(self._display, prepared.name, lambda: loop.time() - started_s, board=self._board)
        session = await in_background(
            SenderSession,
            prepared.packed,
            replace(self._settings, expect=losses),
            stream_id=secrets.randbits(32),
            now=loop.time(),
            more=more,
            control=control,
        )
        try:
            show = view.follow(receiver.name, len(session.stream.segments))
            async with telling(prepared, session):
                await drive(session, receiver.transport, show)
            return session
        finally:
            view.leave()
            self._display.summary(view.closing_words())
