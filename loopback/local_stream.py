"""One photo from a sender session over a simulated link to a receiver session, all in this process.

photo -> SenderSession -> Link -> ReceiverSession -> pictures in the output folder
                       <- Link <-  feedback
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import cast

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, Session, simulate
from progressive.codec import FAITHFUL
from progressive.errors import RunError, UsageError
from progressive.output.folder import OutputFolder
from progressive.runtime.background import Background
from progressive.shell.display import Display
from progressive.transport.drive import drive
from progressive.transport.memory import memory_pair
from receiver.canvases import Canvases
from receiver.events import AboutTold, QualityTold, ReceiverEvent, SegmentReceived, StreamStarted
from receiver.reception import Reception
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.airtime import HOUR_S, Airtime
from sender.display import rate_in_words
from sender.events import PacketSent, SenderEvent
from sender.options import SenderOptions
from sender.prepare import PreparedPhoto
from sender.rate_control import RateController
from sender.session import SenderSession
from sender.telling import tell_about, tell_at_once

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
        prepared: the photo.
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
        canvases: Mapping[str, Canvases] | None = None,
        airtime: Airtime | None = None,
        control: RateController | None = None,
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
            airtime: of the radio, if it has sent something before.
            canvases: pictures of the earlier frames of the sequence, in each look.
            control: of the rate of the stream before, where that is followed.
        """
        self._canvases = canvases or canvases_for(options)
        self.prepared, self._options, self._folder, self._display = prepared, options, folder, display
        self._clock, self._one_of_several, self._worker = clock, one_of_several, worker
        self._started_s = clock()
        self.sender = SenderSession(
            prepared.packed,
            options.settings,
            stream_id=stream_id,
            now=self._started_s,
            airtime=airtime,
            control=control,
        )
        settings = ReceiverSettings(inner_parity=options.settings.inner_parity)
        if options.settings.duty_cycle is not None and options.settings.deadline_s > HOUR_S:
            settings = replace(settings, silence_s=HOUR_S)  # so long the duty cycle may keep a sender silent
        self.receiver = ReceiverSession(settings, now=self._started_s)
        self.wire_bytes = 0
        self._reception: Reception | None = None

    @property
    def refinement_s(self) -> float:
        """How long, on a virtual clock, a receiver is busy with one picture."""
        height, width = self.prepared.original.shape[:2]
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
                    self.prepared.name,
                    self._folder,
                    self._display,
                    elapsed_s=lambda: self._clock() - self._started_s,
                    figures=lambda: self.receiver.statistics,
                    original=self.prepared.original if self._options.measured else None,
                    frame=lambda look, picture: self._canvases[look].show(event.stream_id, placement, picture),
                    looks=self._options.looks,
                    one_of_several=self._one_of_several,
                    worker=self._worker,
                )
            case AboutTold() if self._reception is not None:
                self._reception.describe(event.about)
            case QualityTold() if self._reception is not None:
                self._reception.expect(event.expectation)
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
        height, width = self.prepared.photo.shape[:2]
        values |= {"photo": self.prepared.name, "width": width, "height": height}
        if self._reception is None:
            self._folder.finish(values, self.wire_bytes)
            return
        closing = self._reception.finish(values, self.wire_bytes, title=self._title())
        control = self.sender.control
        found = "" if control is None else f", sent {rate_in_words(control.rate_bps, control.link_bps)}"
        self._display.summary(f"{closing}{found} -> {self._folder.path}")

    def _title(self) -> str:
        bandwidth = self._options.settings.bandwidth_in_words()
        return f"{self.prepared.name} · {bandwidth} · channel {self._options.channel}"

    def check_base(self) -> None:
        """Raises RunError unless the whole base arrived."""
        if self._reception is None:
            raise RunError(f"{self.prepared.name}: nothing of the base arrived: use a channel that loses less")
        self._reception.check_base()


def canvases_for(options: SenderOptions) -> dict[str, Canvases]:
    """Of a receiver that nothing has been shown to, in each look that it may show."""
    return {look: Canvases() for look in (FAITHFUL, *options.looks)}


def as_slow_as_the_sender(channel: LinkSettings, options: SenderOptions) -> LinkSettings:
    """A link without a rate of its own has the sender's, so that a packet takes its time in the air.

    Raises UsageError if the sender has none either.
    """
    if options.settings.follow and not channel.has_rate:
        raise UsageError(
            f"--bandwidth auto has no rate to find on the channel {options.channel}: add one, such as +rate:50kbps"
        )
    return channel if channel.has_rate else replace(channel, rate_bps=options.settings.bandwidth_bps)


def run_stream(stream: LocalStream, links: Links, clock: Clock) -> None:
    """Takes a photo over its links; raises RunError unless the whole base arrives."""
    with completed(stream):
        if isinstance(clock, VirtualClock):
            run_on_virtual_clock(stream, links, clock)
        else:
            asyncio.run(run_in_real_time(stream, links))


@contextmanager
def completed(stream: LocalStream) -> Iterator[None]:
    """What came is kept, however the run ends; raises RunError unless the whole base arrived."""
    try:
        yield
    finally:
        stream.finish()
    stream.check_base()


def run_on_virtual_clock(stream: LocalStream, links: Links, clock: VirtualClock) -> None:
    busy_until_s = -inf
    tell_about(stream.prepared, stream.sender)
    tell_at_once(stream.prepared, stream.sender)

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


async def run_in_real_time(stream: LocalStream, links: Links) -> None:
    near, far = memory_pair(links.forward, links.backward)
    receiving = asyncio.create_task(drive(stream.receiver, far, stream.on_receiver_event))
    # What quality to expect is not told: the receiver here has the original, and measuring would take its processor.
    tell_about(stream.prepared, stream.sender)

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
