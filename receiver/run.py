"""One run of the receiver: listens, shows every photo of one sender as it comes, and keeps what came."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

from progressive.codec import FAITHFUL, Photo
from progressive.errors import BitstreamError, ProgressiveError, RunError, UsageError
from progressive.looks import prepared_look
from progressive.photos import read_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.runtime.background import Background, in_background
from progressive.shell.display import Display, NotesBehindSettings
from progressive.suggestions import use_one_of
from progressive.transport.access import Access
from progressive.transport.drive import drive
from progressive.transport.schemes import ReceivingTransport, open_receiver, scheme_of
from progressive.units import counted, format_time
from progressive.wire.envelope import Envelope
from receiver.canvases import Canvases
from receiver.events import (
    AboutTold,
    CannotOpen,
    PacketStatistics,
    QualityTold,
    ReceiverEvent,
    SegmentReceived,
    StreamEnded,
    StreamStarted,
)
from receiver.folders import Folders, folders_for
from receiver.reception import Reception
from receiver.refinement import warm_up_metrics
from receiver.session import AFTER_STALL_S, STALL_S, ReceiverSession
from receiver.settings import ReceiverSettings
from receiver.unfinished import Unfinished

NEXT_PHOTO_S = 90.0
"""How long a sender that announced another photo may take to begin it: frames come a minute apart at most."""

MOST_FAILURES = 8
"""Reasons that are told of a run that failed, which a peer may give thousands of."""


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """A run of the receiver.

    Fields:
        address: to listen at or to join, as `progressive.transport.schemes` has them.
        settings: of the session.
        output: folder for the first photo; each further one gets a folder in it, and the first too in a run that stays.
            None writes nothing.
        reference: file of the original of the first photo; None measures nothing.
        device: "cpu", "cuda", or "auto" for CUDA where there is one.
        timeout_s: how long to wait for the first stream, in seconds; None waits for ever.
        access: how to reach the sender, besides the address; its inner parity is that of the settings.
        looks: of the pictures, where the codec has them; the first is what is measured and kept.
        keep: of a run that stays, how many photos' folders are left; None for all.

    A run stays if the settings of the session say so: sender after sender, until it is stopped.
    """

    address: str
    settings: ReceiverSettings
    output: Path | None = Path("out")
    reference: Path | None = None
    device: str = "auto"
    timeout_s: float | None = None
    access: Access = field(default_factory=Access)
    looks: tuple[str, ...] = (FAITHFUL,)
    keep: int | None = None

    def __post_init__(self) -> None:
        if self.stays and (self.timeout_s is not None or self.reference is not None):
            option = "--timeout" if self.reference is None else "--reference"
            raise UsageError(f"with --serve a receiver waits for ever and takes any photo: leave {option} out")
        if self.keep is not None and not self.stays:
            raise UsageError("--keep is for a receiver that stays: give --serve too")
        object.__setattr__(self, "access", replace(self.access, inner_parity=self.settings.inner_parity))

    @property
    def stays(self) -> bool:
        return self.settings.stays

    def in_words(self, device: str) -> dict[str, str]:
        """Every setting for a person; `device` is the one in use."""
        inner = self.settings.inner_parity
        words = {
            "from": self.address,
            "output": str(self.output or "none"),
            "reference": str(self.reference or "none"),
            "device": device,
            "look": self.looks[0],
            "silence": format_time(self.settings.silence_s),
            "timeout": "none" if self.timeout_s is None else format_time(self.timeout_s),
        }
        if self.stays:
            words |= {"serve": "until stopped" + (f", {counted(self.keep, 'photo')} kept" if self.keep else "")}
        return words | self.access.in_words() | ({"inner parity": f"{inner} bytes"} if inner else {})

    def in_values(self) -> dict[str, object]:
        """Every setting as a JSON value."""
        return {
            "from": self.address,
            "output": None if self.output is None else str(self.output),
            "reference": None if self.reference is None else str(self.reference),
            "device": self.device,
            "look": self.looks[0],
            "timeout_s": self.timeout_s,
            "keep": self.keep,
            **asdict(self.settings),
        }


def receive(options: ReceiverOptions, display: Display) -> None:
    """Receives the photos of one sender; with options that say so those of all senders, until it is stopped.

    Raises UsageError before listening; RunError, with the best pictures kept, if nothing came, the sender fell silent,
    or a base is missing, which a run that stays only says.
    """
    checked = _checked(options, display)
    with display:
        asyncio.run(_receive(options, display, *checked))


async def receive_photos(options: ReceiverOptions, display: Display) -> None:
    """As `receive`, in a running event loop; to stop it before its time, cancel it: what came is kept."""
    await _receive(options, display, *_checked(options, display))


def _checked(options: ReceiverOptions, display: Display) -> tuple[Envelope, Photo | None]:
    """What packets are opened with, and the original; raises UsageError for what is wrong before listening."""
    scheme_of(options.address, options.access)
    envelope = options.access.envelope()
    return envelope, None if options.reference is None else read_photo(options.reference, tell=display.note)


async def _receive(options: ReceiverOptions, display: Display, envelope: Envelope, original: Photo | None) -> None:
    notes = NotesBehindSettings(display)
    transport = await open_receiver(options.address, options.access, notes.note)
    try:
        folders = folders_for(options.output, stays=options.stays, keep=options.keep)
        device = await in_background(_ready, options, measuring=original is not None)
        notes.settings(options.in_words(device))
        display.note(transport.place)
        try:
            with Background() as worker, Background() as writer:
                await _Run(options, display, transport, envelope, folders, original, device, worker, writer).run()
        finally:
            folders.remove_if_empty()
    finally:
        if transport.dropped_in_words:
            display.note(transport.dropped_in_words)
        transport.close()
        await transport.wait_closed()


def _ready(options: ReceiverOptions, *, measuring: bool) -> str:
    """The device, once all is loaded that takes long; raises UsageError if there is no such device."""
    device = resolve_device(options.device)
    for look in options.looks:
        prepared_look(load_codec(DEFAULT_CODEC), look)
    if measuring:
        warm_up_metrics()
    return device


def resolve_device(device: str) -> str:
    """The device that a request stands for; raises UsageError if there is no such device here."""
    if device == "cpu":
        return device
    if device not in {"auto", "cuda"}:
        raise UsageError(f"unknown device {device!r}: {use_one_of(device, ('auto', 'cpu', 'cuda'))}")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise UsageError("there is no CUDA device here: use --device cpu")
    return "cpu"


class _Run:
    """Streams, one after the other, each with its own reception and folder."""

    def __init__(
        self,
        options: ReceiverOptions,
        display: Display,
        transport: ReceivingTransport,
        envelope: Envelope,
        folders: Folders,
        original: Photo | None,
        device: str,
        worker: Background,
        writer: Background,
    ) -> None:
        self._options, self._display, self._transport = options, display, transport
        self._folders, self._original, self._device = folders, original, device
        self._worker = worker  # makes pictures
        self._writer = writer  # completes the folders of photos, in a thread alone: several take far more memory
        self._loop = asyncio.get_running_loop()
        self._session = ReceiverSession(options.settings, now=self._loop.time(), envelope=envelope)
        self._photos = 0
        self._canvases = {look: Canvases() for look in (FAITHFUL, *options.looks)}
        self._reception: Reception | None = None
        self._last: Reception | None = None
        self._before = PacketStatistics()
        self._unfinished = Unfinished(self._finish, display.note)
        self._failures: list[str] = []
        self._advice = ""
        self._alarm: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until the sender has sent its last photo; raises RunError if not all went well."""
        self._wait_at_most(self._options.timeout_s, "no sender came")
        try:
            try:
                await drive(self._session, self._transport, self._on_event)
            finally:
                self._wait_at_most(None)
                self._transport.close()
                self._end(self._session.statistics, last=True)
        except asyncio.CancelledError:
            await self._unfinished.stop()
            raise
        except ProgressiveError:
            await self._unfinished.wait()
            raise
        await self._unfinished.wait()
        if not self._photos:
            self._failures += [self._advice] * bool(self._advice) + ["nothing could be shown"]
        if self._failures:
            raise RunError("; ".join(self._failures))

    def _fail(self, why: str, *, told: bool = False) -> None:
        """The run has failed; it is said once why, and of many reasons the first ones. One that stays says it now."""
        if self._options.stays and not told:
            self._display.note(why)
        if why not in self._failures and len(self._failures) < MOST_FAILURES:
            self._failures.append(why)

    def _fail_with(self, reception: Reception, error: RunError) -> None:
        """The same, of a photo; while others come it is said now."""
        told = reception is not self._last
        if told:
            self._display.note(str(error))
        self._fail(str(error), told=told)

    def _on_event(self, event: ReceiverEvent) -> None:
        self._display.observe(event)
        match event:
            case CannotOpen():
                self._advice = event.advice
                self._display.note(event.advice)
            case StreamStarted():
                self._wait_at_most(None)
                self._start(event)
            case AboutTold() if self._reception is not None:
                self._reception.describe(event.about)
            case QualityTold() if self._reception is not None:
                self._reception.expect(event.expectation)
            case SegmentReceived() if self._reception is not None:
                self._take(event)
            case StreamEnded():
                if event.reason == "silence":
                    self._fail("the sender fell silent before the end, what came is kept")
                if event.more and self._reception is not None:
                    self._reception.is_one_of_several()
                self._end(event.until_then, last=not event.more)
                if not event.more:
                    self._transport.finished()
                elif not self._options.stays:
                    self._wait_at_most(NEXT_PHOTO_S, "the sender announced another photo that never came")

    def _take(self, event: SegmentReceived) -> None:
        """Raises RunError if an earlier picture could not be written; one that stays goes on with other photos."""
        assert self._reception is not None
        try:
            self._reception.take(event.segment_id, event.payload)
        except RunError as error:
            if not self._options.stays:
                raise
            self._fail(str(error))
            self._reception.cut()

    def _start(self, event: StreamStarted) -> None:
        started_s, placement = event.first_s, event.placement
        before = self._before
        number = self._photos + 1
        folder = self._folders.new()
        try:
            self._reception = Reception(
                event.header,
                f"photo {number}",
                folder,
                self._display,
                elapsed_s=lambda: self._loop.time() - started_s,
                figures=lambda: _since(before, self._session.statistics),
                original=self._original if number == 1 else None,
                device=self._device,
                frame=lambda look, picture: self._canvases[look].show(event.stream_id, placement, picture),
                looks=self._options.looks,
                one_of_several=self._options.stays or number > 1,
                worker=self._worker,
            )
        except (BitstreamError, UsageError) as error:
            self._folders.taken_back()
            self._drop(f"a stream cannot be decoded: {error}")
            return
        self._photos = number
        header = event.header
        whole = "" if placement is None else f" of {placement.width}x{placement.height}, the rest as before"
        self._display.note(
            f"photo {number}: {header.width}x{header.height}{whole}, {counted(header.segment_count, 'segment')}"
        )

    def _drop(self, reason: str) -> None:
        """Says once why streams of this kind are not shown; others may be."""
        if reason not in self._failures:
            self._display.note(reason)
        self._fail(reason, told=True)

    def _end(self, until_then: PacketStatistics, *, last: bool) -> None:
        """Lets the stream that just ended, if any, be finished while others come, unless it is the last."""
        figures = _since(self._before, until_then)
        self._before = until_then
        if self._reception is not None:
            self._reception.figures = lambda: figures
            self._last = self._reception if last else None
            self._unfinished.add(self._reception)
            self._reception = None

    async def _finish(self, reception: Reception) -> None:
        header = reception.refiner.decoder.header
        values = self._options.in_values() | {"width": header.width, "height": header.height}
        folder = reception.refiner.folder
        try:
            await reception.drain()
        except RunError as error:  # such as a full disk, on which earlier pictures make room for the last one
            self._fail_with(reception, error)
        try:
            if folder.is_made:
                closing = await self._loop.run_in_executor(self._writer, reception.finish, values)
            else:  # there is nothing to write, however many such photos come
                closing = reception.finish(values)
            self._display.summary(closing + (f" -> {folder.path}" if folder.is_made else ""))
        except RunError as error:
            self._fail_with(reception, error)
            return
        finally:
            folder.close()
        if not reception.is_cut:
            try:
                reception.check_base()
            except RunError as error:
                self._fail(str(error))

    def _wait_at_most(self, seconds: float | None, failure: str = "") -> None:
        """Gives up after so many seconds, for this reason, unless asked again; None waits for ever."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if seconds is not None:
            due_s = self._loop.time() + seconds
            self._alarm = self._loop.call_at(due_s, self._give_up, due_s, f"{failure} in {format_time(seconds)}")

    def _give_up(self, due_s: float, failure: str) -> None:
        now = self._loop.time()
        if now - due_s > STALL_S:  # after a stall what came meanwhile is looked at first
            self._alarm = self._loop.call_at(now + AFTER_STALL_S, self._give_up, now + AFTER_STALL_S, failure)
            return
        self._fail(failure)
        self._transport.close()


def _since(before: PacketStatistics, now: PacketStatistics) -> PacketStatistics:
    """What was counted since `before`."""
    return PacketStatistics(*(b - a for a, b in zip(astuple(before), astuple(now), strict=True)))
