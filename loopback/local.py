"""Sender, link and receiver in one process: the only place where the two ends meet.

photo -> SenderSession -> Link -> ReceiverSession -> pictures in the output folder
                       <- Link <-  feedback
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from typing import cast

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, Session, simulate
from channel_sim.spec import parse_channel
from progressive.codec import ProgressiveCodec
from progressive.errors import RunError, UsageError
from progressive.output.folder import OutputFolder
from progressive.runtime.background import Background
from progressive.shell.display import Display
from progressive.transport.drive import drive
from progressive.transport.memory import memory_pair
from progressive.units import format_bandwidth
from receiver.canvases import Canvases
from receiver.events import ReceiverEvent, SegmentReceived, StreamStarted
from receiver.reception import Reception
from receiver.refinement import warm_up_metrics
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from receiver.viewer.viewer import viewed
from sender.events import PacketSent, SenderEvent
from sender.frames import is_camera, is_sequence, open_frames
from sender.options import SenderOptions
from sender.prepare import PreparedPhoto, find_sources, prepare
from sender.sequence import FrameSequence
from sender.session import SenderSession
from sender.settled import settled

Clock = Callable[[], float]

LAST_ARRIVAL_S = 5.0
"""A receiver that has heard nothing for this long after all was sent hears nothing any more."""

REFINEMENT_S_PER_MEGAPIXEL = 0.25
"""What a refinement costs on a virtual clock: about what two cores take to decode, measure and store the picture.
Packets that arrive meanwhile are served by the next one, as in real time, so that a run of a huge photo ends."""


@dataclass(slots=True)
class VirtualClock:
    """A clock that shows what it is set to, in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Links:
    """The link to the receiver and the one back."""

    forward: Link
    backward: Link

    @classmethod
    def seeded(cls, settings: LinkSettings, seed: int) -> Links:
        return cls(Link(settings, seed=2 * seed), Link(settings, seed=2 * seed + 1))


class LocalStream:
    """One photo from a sender session to a receiver session, and what the receiver makes of it.

    Fields:
        sender, receiver: the two sessions.
        wire_bytes: bytes of all datagrams sent so far.
    """

    def __init__(
        self,
        prepared: PreparedPhoto,
        options: SenderOptions,
        folder: OutputFolder,
        display: Display,
        clock: Clock,
        *,
        one_of_several: bool,
        worker: Background | None = None,
        stream_id: int = 0,
        canvases: Canvases | None = None,
    ) -> None:
        """
        Args:
            prepared: the photo; its original is what the pictures are measured against.
            options: of the run.
            folder: for the pictures.
            display: for the figures.
            clock: the time now, in seconds.
            one_of_several: events carry the photo's name.
            worker: makes the pictures; without it `refine` does.
            stream_id: another one for each frame of a sequence.
            canvases: pictures of the earlier frames of the sequence.
        """
        self._canvases = canvases or Canvases()
        self._prepared, self._options, self._folder, self._display = prepared, options, folder, display
        self._clock, self._one_of_several, self._worker = clock, one_of_several, worker
        self._started_s = clock()
        self.sender = SenderSession(
            prepared.stream,
            options.settings,
            stream_id=stream_id,
            now=self._started_s,
            placement=prepared.placement,
        )
        self.receiver = ReceiverSession(
            ReceiverSettings(inner_parity=options.settings.inner_parity), now=self._started_s
        )
        self.wire_bytes = 0
        self._reception: Reception | None = None

    @property
    def refinement_s(self) -> float:
        """How long, on a virtual clock, a receiver is busy with one picture."""
        height, width = self._prepared.original.shape[:2]
        return float(REFINEMENT_S_PER_MEGAPIXEL * height * width / 1e6)

    def on_sender_event(self, event: SenderEvent) -> None:
        self._display.observe(event)
        if isinstance(event, PacketSent):
            self.wire_bytes += event.size

    def on_receiver_event(self, event: ReceiverEvent) -> None:
        self._display.observe(event)
        match event:
            case StreamStarted(placement=placement):
                self._reception = Reception(
                    event.header,
                    self._prepared.name,
                    self._folder,
                    self._display,
                    elapsed_s=lambda: self._clock() - self._started_s,
                    figures=lambda: self.receiver.statistics,
                    original=self._prepared.original,
                    frame=lambda picture: self._canvases.show(event.stream_id, placement, picture),
                    one_of_several=self._one_of_several,
                    worker=self._worker,
                )
            case SegmentReceived() if self._reception is not None:
                self._reception.take(event.segment_id, event.payload)

    def refine(self) -> bool:
        """Without a worker: shows what arrived since the last call; False if there is no new picture."""
        return self._reception is not None and self._reception.refine()

    async def drain(self) -> None:
        """Waits until the picture shows all that arrived."""
        if self._reception is not None:
            await self._reception.drain()

    def finish(self) -> None:
        """Completes the output folder and closes the photo on the display; an interrupted stream keeps what came."""
        values = self._options.in_values()
        height, width = self._prepared.photo.shape[:2]
        values |= {"photo": self._prepared.name, "width": width, "height": height}
        if self._reception is None:
            self._folder.finish(values, self.wire_bytes)
            return
        closing = self._reception.finish(values, self.wire_bytes, title=self._title())
        self._display.summary(f"{closing} -> {self._folder.path}")

    def _title(self) -> str:
        bandwidth = format_bandwidth(self._options.settings.bandwidth_bps)
        return f"{self._prepared.name} · {bandwidth} · channel {self._options.channel}"

    def check_base(self) -> None:
        """Raises RunError unless the whole base arrived."""
        if self._reception is None:
            raise RunError(f"{self._prepared.name}: nothing of the base arrived: use a channel that loses less")
        self._reception.check_base()


def stream_locally(options: SenderOptions, display: Display, *, view: str | None = None) -> None:
    """Streams every photo of the source through simulated links to a receiver in this process.

    `view` is where a page shows what the receiver has, `HOST:PORT`; None shows none.

    Raises UsageError before anything is sent, RunError once all is sent if a photo could not be read or lacks its base.
    """
    channel = parse_channel(options.channel, deliver_damaged=options.deliver_damaged)
    with viewed(display, view, "receiver") as viewing:
        _stream_locally(options, viewing, channel)


def _stream_locally(options: SenderOptions, display: Display, channel: LinkSettings) -> None:
    channel = as_slow_as_the_sender(channel, options)
    links = Links.seeded(channel, options.seed)
    clock = VirtualClock() if options.fast else time.monotonic
    codec, options = settled(options)
    if is_sequence(options.source, options.every_s):
        _stream_frames(options, codec, display, links, clock, str(channel))
        return
    sources = find_sources(options.source, display.note)
    several = len(sources) > 1
    if several:
        OutputFolder(options.output)  # a folder in it for each photo; an earlier run's files must not lie beside them
    failures = []
    with Background() as worker, display:
        for number, source in enumerate(sources):
            try:
                prepared = prepare(
                    source, codec, options.settings, full_size=options.full_size, context=options.context
                )
                folder = OutputFolder(options.output / source.name if several else options.output)
                if number == 0:
                    warm_up_metrics()
                    display.settings(options.in_words(str(channel)))
                display.note(prepared.in_words())
                stream = LocalStream(
                    prepared,
                    options,
                    folder,
                    display,
                    clock,
                    one_of_several=several,
                    worker=None if options.fast else worker,
                )
                run_stream(stream, links, clock)
                options = replace(options, settings=replace(options.settings, expect=stream.sender.losses))
            except (UsageError, RunError) as error:
                if number == 0 and not several:
                    raise
                display.note(f"error: {error}")
                failures.append(source.name)
    if failures:
        raise RunError(f"{len(failures)} of {len(sources)} photos failed: {', '.join(failures)}")


def _stream_frames(
    options: SenderOptions, codec: ProgressiveCodec, display: Display, links: Links, clock: Clock, channel_words: str
) -> None:
    """Streams a sequence frame after frame; raises RunError if not one of them arrived, or some could not be read."""
    if options.fast and is_camera(options.source):
        raise UsageError(f"{options.source} is live and cannot run on a virtual clock: leave --fast out")
    started_s = clock()

    def wait_until(time_s: float) -> None:
        if isinstance(clock, VirtualClock):
            clock.now = started_s + time_s
        else:
            time.sleep(max(0.0, started_s + time_s - clock()))

    def elapsed_s() -> float:
        return clock() - started_s

    frames = open_frames(options.source, options.every_s, elapsed_s, display.note)
    sequence = FrameSequence(
        frames,
        codec,
        options.settings,
        full_size=options.full_size,
        context=options.context,
        clock=elapsed_s,
        wait_until=wait_until,
    )
    OutputFolder(options.output)
    warm_up_metrics()
    display.settings(options.in_words(channel_words))
    canvases, losses, shown = Canvases(), options.settings.expect, 0
    with closing(frames), Background() as worker, display:
        for number in count():
            turn = sequence.next()
            if turn is None:
                break
            settings = replace(options.settings, deadline_s=turn.deadline_s, expect=losses)
            display.note(turn.prepared.in_words())
            stream = LocalStream(
                turn.prepared,
                replace(options, settings=settings),
                OutputFolder(options.output / turn.prepared.name),
                display,
                clock,
                one_of_several=True,
                worker=None if options.fast else worker,
                stream_id=number,
                canvases=canvases,
            )
            try:
                run_stream(stream, links, clock)
                shown += 1
            except RunError as error:
                display.note(str(error))
            losses = stream.sender.losses
            sequence.sent(turn, number, stream.sender.stream, stream.sender.known_segments)
        display.summary(sequence.in_words())
    sequence.check()
    if not shown:
        raise RunError("not one frame arrived: lower the bandwidth or raise the deadline")


def as_slow_as_the_sender(channel: LinkSettings, options: SenderOptions) -> LinkSettings:
    """A link without a rate of its own has the sender's, so that a packet takes its time in the air."""
    return channel if channel.has_rate else replace(channel, rate_bps=options.settings.bandwidth_bps)


def run_stream(stream: LocalStream, links: Links, clock: Clock) -> None:
    try:
        if isinstance(clock, VirtualClock):
            _run_on_virtual_clock(stream, links, clock)
        else:
            asyncio.run(_run_in_real_time(stream, links))
    finally:
        stream.finish()
    stream.check_base()


def _run_on_virtual_clock(stream: LocalStream, links: Links, clock: VirtualClock) -> None:
    busy_until_s = -inf

    def on_event(now: float, session: Session, event: object) -> None:
        nonlocal busy_until_s
        if now > clock.now:
            if clock.now >= busy_until_s and stream.refine():
                busy_until_s = clock.now + stream.refinement_s
            clock.now = now
        if session is stream.sender:
            stream.on_sender_event(cast(SenderEvent, event))
        else:
            stream.on_receiver_event(cast(ReceiverEvent, event))

    routes = [
        Route(stream.sender, links.forward, stream.receiver),
        Route(stream.receiver, links.backward, stream.sender),
    ]
    ended_s = simulate(routes, start_s=clock.now, on_event=on_event)
    stream.refine()
    clock.now = ended_s


async def _run_in_real_time(stream: LocalStream, links: Links) -> None:
    near, far = memory_pair(links.forward, links.backward)
    receiving = asyncio.create_task(drive(stream.receiver, far, stream.on_receiver_event))

    async def send() -> None:
        await drive(stream.sender, near, stream.on_sender_event)
        while not receiving.done():
            await asyncio.wait({receiving}, timeout=LAST_ARRIVAL_S)
            if stream.receiver.next_timer() is None:
                far.close()

    try:
        await asyncio.gather(receiving, send())
    finally:
        receiving.cancel()
        await stream.drain()
