"""The loop of a sequence, wherever its frames go: choose one, send it, learn what receivers have of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass

from progressive.stream import LayeredStream
from sender.sequence import FrameSequence, Turn


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
