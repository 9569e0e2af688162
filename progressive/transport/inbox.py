"""The bounded queue between arrivals and `receive` that the transports share."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from progressive.transport.base import TransportClosed

INBOX_DATAGRAMS = 1024
"""Datagrams that wait to be received before further ones are dropped, as a network would: over a megabyte."""

T = TypeVar("T")


class Inbox(Generic[T]):
    """Arrivals in order; one reader."""

    def __init__(self) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, item: T) -> None:
        if self._closed or len(self._items) >= INBOX_DATAGRAMS:
            self.dropped += 1
            return
        self._items.append(item)
        self._changed.set()

    async def get(self) -> T:
        """The next item; raises TransportClosed when closed and empty."""
        while not self._items:
            if self._closed:
                raise TransportClosed("the transport is closed")
            self._changed.clear()
            await self._changed.wait()
        return self._items.popleft()

    def close(self) -> None:
        self._closed = True
        self._changed.set()
