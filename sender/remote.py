"""From a sender to receivers in other processes, over UDP: the photo encoded once, a session and pacing for each.

In a broadcast one session and its stream serve all of them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from progressive.codec import ProgressiveCodec
from progressive.contexts import context_for
from progressive.display import Display
from progressive.errors import RunError, UsageError
from progressive.loss_model import LossModel
from progressive.registry import load_codec
from progressive.semantics.blend import DEFAULT_CONTEXT
from progressive.transport.base import Transport
from progressive.transport.drive import drive
from progressive.transport.fan_out import FanOut
from progressive.transport.udp import UdpAddress, open_udp_sender, parse_udp_url
from sender.display import SendingView
from sender.options import SenderOptions
from sender.prepare import PreparedPhoto, Source, find_sources, prepare
from sender.session import ReportReceived, SenderEvent, SenderSession, StreamFinished

SILENCE_S = 3.0
"""A receiver reports twice a second while packets come: one that does not for this long has gone."""


@dataclass(slots=True)
class Target:
    """A receiver, or the receivers of a broadcast.

    Fields:
        address: where it is.
        transport: how it is reached.
        losses: to expect, by what it reported of earlier photos; None before the first.
        heard_s: when it last reported, on the event loop's clock; None before the first report.
        failure: why nothing more is sent to it; empty while all is well.
    """

    address: str
    transport: Transport
    losses: LossModel | None = None
    heard_s: float | None = None
    failure: str = ""


def stream_to_receivers(options: SenderOptions, display: Display) -> None:
    """Streams every photo of the source to all receivers at once: a stream for each, or one for all in a broadcast.

    Raises UsageError before anything is sent, RunError once all is sent if a photo could not be read, or a receiver
    never answered or fell silent although answers were expected.
    """
    addresses = [parse_udp_url(url) for url in options.to]
    with display:
        asyncio.run(_stream(addresses, options, display))


async def _stream(addresses: Sequence[UdpAddress], options: SenderOptions, display: Display) -> None:
    sources = find_sources(options.source)
    codec = load_codec(options.codec)
    options = replace(options, context=context_for(codec, options.context, default=DEFAULT_CONTEXT))
    targets = await _open_targets(addresses, broadcast=options.settings.serve is not None)
    photos = _Photos(sources, options, codec, display)
    display.settings(options.in_words())
    try:
        current, following = await photos.next(), await photos.next()
        while current is not None:
            # Only a photo that could be read is announced, so the one after next is prepared while this one is sent.
            coming = asyncio.create_task(photos.next())
            display.note(current.in_words())
            await _send_to_all(current, targets, options, display, more=following is not None)
            current, following = following, await coming
    finally:
        for target in targets:
            target.transport.close()
    if photos.unreadable:
        names = ", ".join(photos.unreadable)
        raise RunError(f"{len(photos.unreadable)} of {len(sources)} photos could not be read: {names}")
    if failures := [target.failure for target in targets if target.failure]:
        raise RunError("; ".join(failures))


async def _open_targets(addresses: Sequence[UdpAddress], *, broadcast: bool) -> list[Target]:
    unique = list(dict.fromkeys(addresses))
    transports = [await open_udp_sender(address) for address in unique]
    if broadcast:
        return [Target(", ".join(map(str, unique)), FanOut(transports))]
    return [Target(str(address), transport) for address, transport in zip(unique, transports, strict=True)]


class _Photos:
    """The readable photos of a run, one after the other; a single one that is unreadable is an error."""

    def __init__(
        self, sources: Sequence[Source], options: SenderOptions, codec: ProgressiveCodec, display: Display
    ) -> None:
        self.unreadable: list[str] = []
        self._sources = iter(sources)
        self._alone = len(sources) == 1
        self._options, self._codec, self._display = options, codec, display

    async def next(self) -> PreparedPhoto | None:
        """The next one, encoded; None after the last."""
        for source in self._sources:
            try:
                return await asyncio.to_thread(
                    prepare,
                    source,
                    self._codec,
                    self._options.settings,
                    full_size=self._options.full_size,
                    context=self._options.context,
                )
            except UsageError as error:
                if self._alone:
                    raise
                self._display.note(f"error: {error}")
                self.unreadable.append(source.name)
        return None


async def _send_to_all(
    prepared: PreparedPhoto, targets: Sequence[Target], options: SenderOptions, display: Display, *, more: bool
) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    view = SendingView(display, prepared.name, elapsed_s=lambda: loop.time() - started_s)
    # A receiver ignores what comes late of streams it has seen: ids must differ from those of earlier runs too.
    sessions = [
        (
            target,
            SenderSession(
                prepared.stream,
                replace(options.settings, expect=target.losses or options.settings.expect),
                stream_id=secrets.randbits(32),
                now=loop.time(),
                more=more,
            ),
        )
        for target in targets
        if not target.failure
    ]
    await asyncio.gather(
        *(
            drive(
                session,
                target.transport,
                _handler(target, view.follow(target.address, len(session.stream.segments))),
            )
            for target, session in sessions
        )
    )
    for target, session in sessions:
        target.losses = session.losses
    if sessions:
        display.summary(view.closing_words())


def _handler(target: Target, show: Callable[[SenderEvent], None]) -> Callable[[SenderEvent], None]:
    clock = asyncio.get_running_loop().time

    def on_event(event: SenderEvent) -> None:
        show(event)
        if isinstance(event, ReportReceived):
            target.heard_s = clock()
        elif isinstance(event, StreamFinished) and event.reason == "silence":
            target.failure = f"no receiver answered at {target.address}: start one there, or send with --one-way"
        elif isinstance(event, StreamFinished) and event.reason == "deadline" and target.heard_s is not None:
            silence_s = clock() - target.heard_s
            if silence_s > SILENCE_S:
                target.failure = f"the receiver at {target.address} fell silent {silence_s:.0f} s before the end"

    return on_event
