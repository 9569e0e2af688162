"""Photos of which no more comes, while their last pictures are made and their folders completed: few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from progressive.stream import MAX_PIXELS
from receiver.reception import Reception

MOST_UNFINISHED = 8
"""Photos whose last pictures are still to be made. Each holds a decoder: streams that come faster than they are
decoded, forged ones perhaps, must not fill the memory."""

MOST_PIXELS = MAX_PIXELS
"""Of all of them together, as one photo alone may have."""

LAST_PICTURE_S = 1.5
"""Asked to stop, how long the picture that is in the making is waited for."""

WRITE_S = 1.5
"""And then how long what is shown may take to be written."""


class Unfinished:
    """Receptions that are being finished, each by a task of its own; the oldest are cut short when there are many."""

    def __init__(self, finish: Callable[[Reception], Coroutine[None, None, None]], say: Callable[[str], None]) -> None:
        """
        Args:
            finish: drains a reception and writes what it shows.
            say: takes a line for a person.
        """
        self._finish, self._say = finish, say
        self._receptions: dict[asyncio.Task[None], Reception] = {}

    def add(self, reception: Reception) -> None:
        """Lets a reception be finished while others come."""
        self._receptions = {
            task: each for task, each in self._receptions.items() if not task.done() or task.exception()
        }
        self._receptions[asyncio.create_task(self._finish(reception))] = reception
        uncut = [each for each in self._receptions.values() if not each.is_cut]
        while len(uncut) > MOST_UNFINISHED or (len(uncut) > 1 and sum(each.pixels for each in uncut) > MOST_PIXELS):
            oldest = uncut.pop(0)
            oldest.cut()
            self._say(f"{oldest.name}: shown as far as it was decoded, for photos come faster than that")

    async def wait(self) -> None:
        """Until all are finished; raises what one of them raised. Cancelling it is as `stop`."""
        finishing = asyncio.gather(*self._receptions, return_exceptions=True)
        try:
            results = await asyncio.shield(finishing)
        except asyncio.CancelledError:
            await self.stop()
            raise
        for error in results:
            if error is not None:
                raise error

    async def stop(self) -> None:
        """Finishes what it can in little time: what is not decoded is dropped, the pictures shown are written."""
        tasks = [task for task in self._receptions if not task.done()]
        if not tasks:
            return
        newest = tasks[-1]
        for task in tasks[:-1]:
            self._receptions[task].cut()
        await asyncio.wait([newest], timeout=LAST_PICTURE_S)
        self._receptions[newest].cut()
        _, late = await asyncio.wait(tasks, timeout=WRITE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
