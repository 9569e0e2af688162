"""A sender that serves over WebRTC: whoever joins gets the photos, in a stream and at a pace of its own.

photos ─ encoded once ─> programme ─┬─> session ─> receiver 1
                                    ├─> session ─> receiver 2, which came later and begins with the base as well
                                    ╰─> ..

Of a sequence each gets the newest frame whenever it is done with the one before.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

from progressive.codec import ProgressiveCodec
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.registry import CODECS, WEIGHTS
from progressive.runtime.background import in_background
from progressive.shell.display import Display
from progressive.stream import StreamHeader
from progressive.transport.drive import drive
from progressive.transport.webrtc.peer import MAX_MESSAGE, PeerTransport
from progressive.transport.webrtc.server import Joined, WebRtcServer, open_server
from progressive.wire.envelope import PlainEnvelope
from sender.display import Sending, SendingView
from sender.farewell import farewell
from sender.frame_loop import open_sequence
from sender.frames import is_live, is_sequence
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.newest import NewestFrame
from sender.offers import Offer, Programme
from sender.options import SenderOptions
from sender.photos import Photos
from sender.prepare import find_sources
from sender.rate_control import RateController
from sender.rounds import Course
from sender.sequence_clock import SequenceClock
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

    Raises UsageError before anybody can join, or when a camera or a program fails; RunError at the end if a photo could
    not be read.
    """
    with display:
        asyncio.run(serve_photos(options, display))


def _check(options: SenderOptions) -> None:
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
    programme = _programme(options, codec, display)
    settings = options.settings
    buffered = FOLLOWED_BUFFER_BYTES if settings.follow else int(BUFFERED_S * settings.bandwidth_bps / 8)
    buffer_bytes = max(8 * settings.packet_size, buffered)
    try:
        server = await open_server(options.to[0], options.access, display.note, buffer_bytes=buffer_bytes)
        try:
            first = await programme.first()  # before anything else is said: it may be no photo
            if first is None:
                programme.check()
                return
            display.settings(options.in_words())
            display.note(first.in_words())
            server.page.hand_out(weights_of(codec.name, first.packed.stream.header))
            display.link(f"serving at {server.address}, for browsers at {server.address.link}", server.invitation)
            await _serve_all(server, programme, options, display)
        finally:
            await server.close()
    finally:
        programme.close()
    programme.check()


async def _serve_all(server: WebRtcServer, programme: Programme, options: SenderOptions, display: Display) -> None:
    """Serves whoever joins, for as long as was asked; raises what the programme fails with."""
    served = _Served(programme, options.settings, display)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.serve_for_s):
                await _first_failure(served.run(server), programme.wait_failed())
    finally:
        await served.stop()
        if words := programme.in_words():
            display.summary(words)
        display.summary(served.in_words(server))


def _programme(options: SenderOptions, codec: ProgressiveCodec, display: Display) -> Programme:
    """What is served; raises UsageError if there is no such source."""
    if not is_sequence(options.source, options.every_s):
        return Course(Photos(find_sources(options.source, display.note), options, codec, display))
    clock = SequenceClock(asyncio.get_running_loop().time, stands=not is_live(options.source))
    return NewestFrame(open_sequence(options, codec, clock, display.note), clock, options.settings)


async def _first_failure(*endless: Coroutine[None, None, None]) -> None:
    """Runs what never ends by itself; raises what the first one fails with."""
    tasks = [asyncio.create_task(work) for work in endless]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def weights_of(codec: str, header: StreamHeader) -> dict[str, Path]:
    """The weight file that browsers need to decode such streams, by its model id; none if the codec has none."""
    name = CODECS[codec].weights
    return {header.model_id.hex(): WEIGHTS / name} if name else {}


class _Served:
    """The receivers that have joined, each with a task of its own."""

    def __init__(self, programme: Programme, settings: SenderSettings, display: Display) -> None:
        self._programme, self._settings, self._display = programme, settings, display
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
        await asyncio.gather(*(_say_farewell(receiver.transport) for receiver in serving.values()))

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
        reason, more = "stopped", False
        try:
            async with aclosing(self._programme.offers()) as offers:
                while (offer := await _next_while_there(offers, transport)) is not None:
                    session = await self._send(offer, receiver, losses, control)
                    losses, control, more = session.losses, session.control, offer.more
            reason = "left" if transport.closed else "served"
            if more and not transport.closed:
                await _say_farewell(transport)
            transport.close()
        finally:
            self._display.observe(ReceiverLeft(receiver.name, reason))

    async def _send(
        self, offer: Offer, receiver: Joined, losses: LossModel, control: RateController | None
    ) -> SenderSession:
        """Streams a photo to a receiver, by what was learnt of its link; returns the session, which is over."""
        prepared, settings = offer.prepared, replace(self._settings, expect=losses)
        if offer.deadline_s is not None:
            settings = replace(settings, deadline_s=offer.deadline_s)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        view = SendingView(self._display, prepared.name, lambda: loop.time() - started_s, board=self._board)
        session = await in_background(
            SenderSession,
            prepared.packed,
            settings,
            stream_id=secrets.randbits(32),
            now=loop.time(),
            more=offer.more,
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


async def _next_while_there(offers: AsyncGenerator[Offer], transport: PeerTransport) -> Offer | None:
    """What comes next; None after the last, and once the receiver has left."""

    async def following() -> Offer | None:
        return await anext(offers, None)

    coming, lost = asyncio.create_task(following()), asyncio.create_task(transport.wait_lost())
    try:
        await asyncio.wait([coming, lost], return_when=asyncio.FIRST_COMPLETED)
        return None if transport.closed else coming.result()
    finally:
        coming.cancel()
        lost.cancel()
        await asyncio.gather(coming, lost, return_exceptions=True)


async def _say_farewell(transport: PeerTransport) -> None:
    """Nothing more comes: a receiver that hears it leaves."""
    await transport.send(farewell(secrets.randbits(32), PlainEnvelope())[0])
    await transport.wait_lost(LEAVE_S)
