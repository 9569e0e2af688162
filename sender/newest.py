"""The frames of a sequence for receivers that come at any time, each at a pace of its own: the newest wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from progressive.runtime.background import Background
from sender.offers import Offer
from sender.prepare import PreparedPhoto, base_seconds
from sender.sequence import LATE_SHARE, FrameSequence, Turn
from sender.sequence_clock import SequenceClock
from sender.settings import SenderSettings

WAIT_S = 1.0
"""So long a receiver that has just joined waits for a frame that is in time, before it gets one that is older."""


@dataclass(frozen=True, slots=True)
class _Coded:
    """A frame, by number from 1; `least_s` before `ends_s`, on the clock of the sequence, it is late."""

    number: int
    prepared: PreparedPhoto
    ends_s: float
    least_s: float


class NewestFrame:
    """A frame is read and encoded when a receiver waits for a newer one; only the newest is kept.

        frames ─ encoded once, whole ─> newest ─┬─> receiver 1, once it is done with the one before
                                                ╰─> receiver 2, which may have passed over some

    Every frame is whole, as each receiver has others, or parts of others.
    """

    def __init__(
        self,
        sequence: FrameSequence,
        clock: SequenceClock,
        settings: SenderSettings,
    ) -> None:
        """
        Args:
            sequence: chooses and encodes frames, by the clock; closed in the end.
            clock: is told to go when the first receiver joins.
            settings: of each stream; the deadline counts from when a frame is there.
        """
        self._sequence, self._clock, self._settings = sequence, clock, settings
        self._worker = Background()
        self._newest: _Coded | None = None
        self._wanted, self._changed = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def first(self) -> PreparedPhoto | None:
        self._task = asyncio.create_task(self._encode())
        self._task.add_done_callback(lambda _task: self._tell())
        while self._newest is None and not self._task.done():
            await self._changed.wait()
        if self._newest is None:
            await self._task
        return None if self._newest is None else self._newest.prepared

    async def offers(self) -> AsyncGenerator[Offer]:
        self._clock.go()
        seen = 0
        while (coded := await self._after(seen)) is not None:
            seen = coded.number
            yield Offer(coded.prepared, more=True, deadline_s=self._left_s(coded) if self._is_in_time(coded) else None)

    async def wait_failed(self) -> None:
        if self._task is not None:
            await asyncio.shield(self._task)
        await asyncio.Event().wait()

    def in_words(self) -> str:
        return self._sequence.in_words()

    def close(self) -> None:
        self._clock.stop()
        self._sequence.close()
        self._worker.shutdown(wait=False, cancel_futures=True)
        if self._task is not None:
            self._task.cancel()

    def check(self) -> None:
        self._sequence.check()

    async def _after(self, seen: int) -> _Coded | None:
        """The newest frame after number `seen`, in time; for who has seen none, at last, also one that is not. None
        after the last."""
        try:
            async with asyncio.timeout(None if seen else WAIT_S):
                while not self._is_over:
                    newest = self._newest
                    if newest is not None and newest.number > seen and self._is_in_time(newest):
                        return newest
                    self._wanted.set()
                    await self._changed.wait()
        except TimeoutError:
            return self._newest
        newest = self._newest
        if newest is None or newest.number <= seen:
            return None
        return newest if not seen or self._is_in_time(newest) else None

    async def _encode(self) -> None:
        """Frame after frame, as they are asked for; raises what `FrameSequence.next` does."""
        loop = asyncio.get_running_loop()
        while (turn := await loop.run_in_executor(self._worker, self._sequence.next)) is not None:
            self._sequence.sent(turn, 0, turn.prepared.stream, ())
            self._offer(turn)
            await self._wanted.wait()

    def _offer(self, turn: Turn) -> None:
        number = 1 if self._newest is None else self._newest.number + 1
        least_s = max(base_seconds(turn.prepared.packed, self._settings), LATE_SHARE * self._settings.deadline_s)
        self._newest = _Coded(number, turn.prepared, self._clock() + turn.deadline_s, least_s)
        self._wanted.clear()
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def _is_over(self) -> bool:
        return self._task is not None and self._task.done()

    def _is_in_time(self, coded: _Coded) -> bool:
        return self._left_s(coded) >= coded.least_s

    def _left_s(self, coded: _Coded) -> float:
        return coded.ends_s - self._clock()
