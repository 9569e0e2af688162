"""One sender's datagrams to several receivers: each of them gets everything, all their answers come back in one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from progressive.transport.base import Transport, TransportClosed
from progressive.transport.inbox import Inbox


class FanOut:
    """Several transports as one; closed when all of them are."""

    def __init__(self, members: Sequence[Transport]) -> None:
        """`members`: one or more, from now on used by nobody else. Needs a running event loop."""
        self._members = list(members)
        self._inbox: Inbox[bytes] = Inbox()
        self._open = len(self._members)
        self._listening = [asyncio.ensure_future(self._listen(member)) for member in self._members]

    async def send(self, data: bytes) -> None:
        for member in self._members:
            await member.send(data)

    async def receive(self) -> bytes:
        return await self._inbox.get()

    def close(self) -> None:
        for member in self._members:
            member.close()

    async def _listen(self, member: Transport) -> None:
        try:
            while True:
                self._inbox.put(await member.receive())
        except TransportClosed:
            self._open -= 1
            if not self._open:
                self._inbox.close()
