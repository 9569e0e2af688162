"""A sequence, wherever its frames go: opened, and its loop, to choose one, send it, learn what receivers have of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass

from progressive.codec import ProgressiveCodec
from progressive.photos.colours import Tell
from progressive.stream import LayeredStream
from sender.frames import open_frames
from sender.options import SenderOptions
from sender.sequence import FrameSequence, Turn
from sender.sequence_clock import SequenceClock


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame that was sent.

    Fields:
        stream_id: that it went by.
        stream: what was sent of it, to the receiver that got least.
        known: ids of the segments that every receiver is known to have.
    """

    stream_id: int
    stream: LayeredStream
    known: Collection[int]


def open_sequence(options: SenderOptions, codec: ProgressiveCodec, clock: SequenceClock, tell: Tell) -> FrameSequence:
    """The sequence that a run is to send, by this clock; raises UsageError if there is no such source.

    `tell` takes what a person should know about how photos are read.
    """
    settings = options.settings
    return FrameSequence(
        open_frames(options.source, options.every_s, clock, tell, duty_cycle=settings.duty_cycle),
        codec,
        settings,
        full_size=options.full_size,
        context=options.context,
        with_metadata=options.with_metadata,
        clock=clock,
        wait_until=clock.wait_until,
    )


async def send_frames(
    sequence: FrameSequence, worker: Executor, send: Callable[[Turn], Awaitable[SentFrame | None]]
) -> None:
    """Sends frame after frame until the source ends, or `send` returns None because nobody is left.

    Frames are read and coded in the worker, so that the event loop goes on. Raises what `FrameSequence.next` does.
    """
    loop = asyncio.get_running_loop()
    while (turn := await loop.run_in_executor(worker, sequence.next)) is not None:
        sent = await send(turn)
        if sent is None:
            return
        await loop.run_in_executor(worker, sequence.sent, turn, sent.stream_id, sent.stream, sent.known)
