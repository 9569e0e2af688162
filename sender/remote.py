"""From a sender to receivers in other processes, over UDP or a transport that another package brings.

In a broadcast one session and its stream serve all of them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from progressive.codec import ProgressiveCodec
from progressive.errors import RunError, UsageError
from progressive.loss_model import LossModel
from progressive.runtime.background import Background, in_background
from progressive.shell.display import Display
from progressive.transport.access import Access
from progressive.transport.base import Transport
from progressive.transport.drive import drive
from progressive.transport.fan_out import FanOut
from progressive.transport.schemes import open_sender
from progressive.transport.udp import parse_udp_url
from progressive.units import format_time
from sender.airtime import Airtime
from sender.display import SendingView
from sender.events import CannotOpen, ReceiverBusy, ReportReceived, SenderEvent, StreamFinished
from sender.farewell import farewell
from sender.frame_loop import SentFrame, open_sequence, send_frames
from sender.frames import is_sequence
from sender.options import SenderOptions
from sender.photos import Photos
from sender.prepare import PreparedPhoto, airtime_needed, find_sources
from sender.rate_control import RateController
from sender.sequence import Turn
from sender.sequence_clock import SequenceClock
from sender.session import END_INTERVAL_S, SenderSession
from sender.settings import SenderSettings
from sender.settled import settled
from sender.telling import telling

SILENCE_S = 3.0
"""A receiver reports twice a second while packets come: one that does not for this long has gone."""

GONE_S = 30.0
"""The same for a sequence, which a fade of some seconds should not end."""


@dataclass(slots=True)
class Target:
    """A receiver, or the receivers of a broadcast.

    Fields:
        address: where it is.
        transport: how it is reached.
        losses: to expect, by what it reported of earlier photos; None before the first.
        control: of the rate to it, where that is followed.
        heard_s: when it last reported, on the event loop's clock; None before the first report.
        unheard, advice: what to say, and what to do, should it never be understood.
        failure: why nothing more is sent to it; empty while all is well.
        airtime: what keeps its duty cycle; None without one.
    """

    address: str
    transport: Transport
    losses: LossModel | None = None
    control: RateController | None = None
    heard_s: float | None = None
    unheard: str = ""
    advice: str = "start one there, or send with --one-way"
    failure: str = ""
    airtime: Airtime | None = None

    def __post_init__(self) -> None:
        self.unheard = self.unheard or f"no receiver answered at {self.address}"


def stream_to_receivers(options: SenderOptions, display: Display) -> None:
    """Streams every photo of the source to all receivers at once: a stream for each, or one for all in a broadcast.

    Raises UsageError before anything is sent, RunError once all is sent if a photo could not be read, or a receiver
    never answered or fell silent although answers were expected.
    """
    with display:
        asyncio.run(stream_photos(options, display))


async def stream_photos(options: SenderOptions, display: Display) -> None:
    """As `stream_to_receivers`, in a running event loop; it may be cancelled at any time."""
    addresses = [str(parse_udp_url(url)) if url.startswith("udp://") else url for url in options.to]
    options.access.envelope()  # tells of an unreadable key before anything starts
    codec, options = await in_background(settled, options)
    if is_sequence(options.source, options.every_s):
        await _stream_frames(addresses, options, codec, display)
    else:
        await _stream_photos(addresses, options, codec, display)


async def _stream_photos(
    addresses: Sequence[str], options: SenderOptions, codec: ProgressiveCodec, display: Display
) -> None:
    sources = find_sources(options.source, display.note)
    targets = await _open_targets(addresses, options, display)
    if options.settings.duty_cycle is not None and len(targets) > 1:
        raise UsageError("a duty cycle is that of one radio: give --to once, or --serve for one stream to all")
    for target in targets:
        target.airtime = options.settings.new_airtime()
    photos = Photos(sources, options, codec, display)
    try:
        current = await photos.next()  # before anything else is said: it may be no photo
        display.settings(options.in_words())
        following = await photos.next()
        while current is not None and not all(target.failure for target in targets):
            # Only a photo that could be read is announced, so the one after next is prepared while this one is sent.
            coming = asyncio.create_task(photos.next())
            display.note(current.in_words())
            await _wait_for_airtime(current, targets, options.settings, display)
            await _send_to_all(current, targets, options.settings, options.access, display, more=following is not None)
            current, following = following, await coming
    finally:
        for target in targets:
            target.transport.close()
    photos.check()
    _raise_failures(targets)


async def _wait_for_airtime(
    prepared: PreparedPhoto, targets: Sequence[Target], settings: SenderSettings, display: Display
) -> None:
    """Until the duty cycle lets a photo be sent as well as the first one."""
    now = asyncio.get_running_loop().time()
    needed_s = airtime_needed(prepared, settings)
    wait_s = max((t.airtime.wait_s(needed_s, now) for t in targets if t.airtime is not None), default=0.0)
    if wait_s:
        display.note(f"{prepared.name}: waits {format_time(ceil(wait_s))} for the duty cycle")
        await asyncio.sleep(wait_s)


async def _stream_frames(
    addresses: Sequence[str], options: SenderOptions, codec: ProgressiveCodec, display: Display
) -> None:
    """Frame after frame; the receivers' pictures are followed for all of them together."""
    clock = SequenceClock(asyncio.get_running_loop().time)
    sequence = open_sequence(options, codec, clock, display.note)
    targets = await _open_targets(addresses, options, display)
    display.settings(options.in_words())
    with Background() as worker:
        try:
            await send_frames(sequence, worker, lambda turn: _send_frame(turn, targets, options, display))
            for datagram in farewell(secrets.randbits(32), options.access.envelope()):
                for target in targets:
                    await target.transport.send(datagram)
                await asyncio.sleep(END_INTERVAL_S)
        finally:
            clock.stop()
            sequence.close()
            for target in targets:
                target.transport.close()
    display.summary(sequence.in_words())
    sequence.check()
    _raise_failures(targets)


async def _send_frame(
    turn: Turn, targets: Sequence[Target], options: SenderOptions, display: Display
) -> SentFrame | None:
    """Sends a frame to all that are there; None if nobody is."""
    stream_id = secrets.randbits(32)
    settings = replace(options.settings, deadline_s=turn.deadline_s)
    display.note(turn.prepared.in_words())
    sessions = await _send_to_all(
        turn.prepared, targets, settings, options.access, display, more=True, stream_id=stream_id
    )
    if not sessions:
        return None
    now = asyncio.get_running_loop().time()
    for target in targets:
        if target.heard_s is not None and now - target.heard_s < GONE_S:
            target.failure = ""
    known = frozenset.intersection(*(session.known_segments for session in sessions))
    least = min((session.offered for session in sessions), key=lambda stream: len(stream.segments))
    return SentFrame(stream_id, least, known)


def _raise_failures(targets: Sequence[Target]) -> None:
    if failures := [target.failure for target in targets if target.failure]:
        raise RunError("; ".join(failures))


async def _open_targets(addresses: Sequence[str], options: SenderOptions, display: Display) -> list[Target]:
    unique = list(dict.fromkeys(addresses))
    transports = [await open_sender(address, options.access, display.note) for address in unique]
    if options.settings.serve is not None:
        return [Target(", ".join(unique), FanOut(transports))]
    return [Target(address, transport) for address, transport in zip(unique, transports, strict=True)]


async def _send_to_all(
    prepared: PreparedPhoto,
    targets: Sequence[Target],
    settings: SenderSettings,
    access: Access,
    display: Display,
    *,
    more: bool,
    stream_id: int | None = None,
) -> list[SenderSession]:
    """Sends a photo to all that have not failed yet, each stream with an identifier of its own if none is given.

    Returns the sessions, which are over.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    view = SendingView(display, prepared.name, elapsed_s=lambda: loop.time() - started_s)

    async def send(target: Target) -> SenderSession:
        # A receiver ignores what comes late of streams it has seen: ids must differ from those of earlier runs too.
        session = await in_background(
            SenderSession,
            prepared.packed,
            replace(settings, expect=target.losses or settings.expect),
            stream_id=secrets.randbits(32) if stream_id is None else stream_id,
            now=loop.time(),
            more=more,
            envelope=access.envelope(),
            airtime=target.airtime,
            control=target.control,
        )
        target.control = session.control
        show = view.follow(target.address, len(session.stream.segments))
        async with telling(prepared, session):
            await drive(session, target.transport, _handler(target, show, display.note))
        target.losses = session.losses
        return session

    sessions = await asyncio.gather(*(send(target) for target in targets if not target.failure))
    if sessions:
        display.summary(view.closing_words())
    return sessions


def _handler(
    target: Target, show: Callable[[SenderEvent], None], say: Callable[[str], None]
) -> Callable[[SenderEvent], None]:
    clock = asyncio.get_running_loop().time

    def on_event(event: SenderEvent) -> None:
        show(event)
        if isinstance(event, ReportReceived):
            target.heard_s = clock()
        elif isinstance(event, CannotOpen):
            target.unheard, target.advice = f"what answers at {target.address} cannot be understood", event.advice
        elif isinstance(event, ReceiverBusy):
            busy = f"the receiver at {target.address} is busy with another sender"
            if target.unheard != busy:
                say(f"{busy}: trying until the deadline")
            target.unheard, target.advice = busy, "wait until that one is done, or start another receiver"
        elif isinstance(event, StreamFinished) and event.reason == "silence":
            target.failure = f"{target.unheard}: {target.advice}"
        elif isinstance(event, StreamFinished) and event.reason == "deadline" and target.heard_s is not None:
            silence_s = clock() - target.heard_s
            if silence_s > SILENCE_S:
                target.failure = f"the receiver at {target.address} fell silent {silence_s:.0f} s before the end"

    return on_event
