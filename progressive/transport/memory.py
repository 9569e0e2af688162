"""Two ends in one process, each direction through a link in real time."""

from __future__ import annotations

import asyncio
from typing import Protocol

from progressive.transport.delay_line import DelayLine
from progressive.transport.inbox import Inbox


class Link(Protocol):
    """Decides what becomes of a datagram."""

    def send(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Arrival times, in seconds on the clock of `now`, and bytes; empty if the datagram is lost."""
        ...


class PerfectLink:
    """Delivers everything at once."""

    def send(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        return [(now, data)]


class MemoryTransport:
    """One end of a pair; made by `memory_pair`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._inbox: Inbox[bytes] = Inbox()
        self._peer = self
        self._on_the_way: DelayLine | None = None

    async def send(self, data: bytes) -> None:
        if self._on_the_way is None:
            self._on_the_way = DelayLine()
        for arrival_s, delivered in self._link.send(data, asyncio.get_running_loop().time()):
            self._on_the_way.put(arrival_s, delivered, self._peer._inbox.put)  # noqa: SLF001, the other end of this pair

    async def receive(self) -> bytes:
        return await self._inbox.get()

    def close(self) -> None:
        self._inbox.close()


def memory_pair(there: Link | None = None, back: Link | None = None) -> tuple[MemoryTransport, MemoryTransport]:
    """Two connected ends: what the first sends passes the link `there`, what the second sends the link `back`.

    A link that is None is perfect. Links see the clock of the running event loop.
    """
    first, second = MemoryTransport(there or PerfectLink()), MemoryTransport(back or PerfectLink())
    first._peer, second._peer = second, first  # noqa: SLF001
    return first, second
