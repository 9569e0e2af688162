"""`python -m sender` without `--to`: photos or frames, one after the other, to a receiver in this process."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import replace
from itertools import count
from math import ceil

from channel_sim.link import LinkSettings
from channel_sim.spec import parse_channel
from loopback.local_stream import (
    Clock,
    Links,
    LocalStream,
    VirtualClock,
    as_slow_as_the_sender,
    canvases_for,
    completed,
    run_in_real_time,
    run_on_virtual_clock,
    run_stream,
)
from progressive.codec import ProgressiveCodec
from progressive.errors import RunError, UsageError
from progressive.output.folder import OutputFolder
from progressive.runtime.background import Background
from progressive.shell.display import Display
from progressive.units import format_time
from receiver.refinement import warm_up_metrics
from receiver.viewer.viewer import viewed
from sender.frame_loop import SentFrame, send_frames
from sender.frames import is_camera, is_sequence, open_frames
from sender.options import SenderOptions
from sender.prepare import airtime_needed, find_sources, prepare
from sender.rate_control import RateController
from sender.sequence import FrameSequence, Turn
from sender.settled import settled


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
    airtime = options.settings.new_airtime()

    def wait(seconds: float) -> None:
        if isinstance(clock, VirtualClock):
            clock.now += seconds
        elif seconds:
            display.note(f"waiting {format_time(ceil(seconds))} for the duty cycle")
            time.sleep(seconds)

    sources = find_sources(options.source, display.note)
    several = len(sources) > 1
    if several:
        OutputFolder(options.output)  # a folder in it for each photo; an earlier run's files must not lie beside them
    failures: list[str] = []
    control: RateController | None = None
    with Background() as worker, display:
        for number, source in enumerate(sources):
            try:
                prepared = prepare(
                    source,
                    codec,
                    options.settings,
                    full_size=options.full_size,
                    context=options.context,
                    with_metadata=options.with_metadata,
                )
                folder = OutputFolder(options.output / source.name if several else options.output)
                if number == 0:
                    warm_up_metrics()
                    display.settings(options.in_words(str(channel)))
                display.note(prepared.in_words())
                if airtime is not None:
                    wait(airtime.wait_s(airtime_needed(prepared, options.settings), clock()))
                stream = LocalStream(
                    prepared,
                    options,
                    folder,
                    display,
                    clock,
                    one_of_several=several,
                    airtime=airtime,
                    worker=None if options.fast else worker,
                    control=control,
                )
                control = stream.sender.control
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

    frames = open_frames(
        options.source, options.every_s, elapsed_s, display.note, duty_cycle=options.settings.duty_cycle
    )
    sequence = FrameSequence(
        frames,
        codec,
        options.settings,
        full_size=options.full_size,
        context=options.context,
        with_metadata=options.with_metadata,
        clock=elapsed_s,
        wait_until=wait_until,
    )
    OutputFolder(options.output)
    warm_up_metrics()
    display.settings(options.in_words(channel_words))
    with closing(frames), Background() as painter, Background() as coder, display:
        sending = _LocalFrames(options, display, links, clock, None if options.fast else painter)
        asyncio.run(send_frames(sequence, coder, sending.send))
        display.summary(sequence.in_words())
    sequence.check()
    if not sending.shown:
        raise RunError("not one frame arrived: lower the bandwidth or raise the deadline")


class _LocalFrames:
    """Sends the frames of a sequence, each over the same links onto the same canvas.

    Fields:
        shown: frames whose base arrived.
    """

    def __init__(
        self, options: SenderOptions, display: Display, links: Links, clock: Clock, painter: Background | None
    ) -> None:
        self.shown = 0
        self._options, self._display, self._links, self._clock, self._painter = options, display, links, clock, painter
        self._control: RateController | None = None
        self._canvases, self._losses, self._numbers = canvases_for(options), options.settings.expect, count()

    async def send(self, turn: Turn) -> SentFrame:
        settings = replace(self._options.settings, deadline_s=turn.deadline_s, expect=self._losses)
        self._display.note(turn.prepared.in_words())
        number = next(self._numbers)
        stream = LocalStream(
            turn.prepared,
            replace(self._options, settings=settings),
            OutputFolder(self._options.output / turn.prepared.name),
            self._display,
            self._clock,
            one_of_several=True,
            worker=self._painter,
            stream_id=number,
            canvases=self._canvases,
            control=self._control,
        )
        self._control = stream.sender.control
        try:
            with completed(stream):
                if isinstance(self._clock, VirtualClock):
                    run_on_virtual_clock(stream, self._links, self._clock)
                else:
                    await run_in_real_time(stream, self._links)
            self.shown += 1
        except RunError as error:
            self._display.note(str(error))
        self._losses = stream.sender.losses
        return SentFrame(number, stream.sender.offered, stream.sender.known_segments)
