"""How much of an HTTP server strangers may take: connections, and time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from aiohttp import web


class ConnectionLimits:
    """Keeps the connections of an HTTP server few and short.

    Whoever opens connections and says nothing, or sends byte by byte, would otherwise take all descriptors of the
    process, and files could not be written any more.
    """

    def __init__(self, most: int, longest_s: float) -> None:
        """
        Args:
            most: open connections; further ones are closed at once.
            longest_s: life of a connection, whatever it does, unless its limit is lifted.
        """
        self._most, self._longest_s = most, longest_s
        self._since: dict[web.RequestHandler, float] = {}

    def protocols(self, server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
        """A maker of protocols for `create_server`."""
        return lambda: _Closing() if len(server.connections) >= self._most else server()

    async def watch(self, server: web.Server) -> None:
        """Cuts off, until cancelled, what lasts too long; it may take a quarter longer."""
        while True:
            now = asyncio.get_running_loop().time()
            self._since = {connection: self._since.get(connection, now) for connection in server.connections}
            for connection, since in self._since.items():
                if now - since >= self._longest_s:
                    _cut_off(connection)
            await asyncio.sleep(self._longest_s / 4)

    def lift(self, request: web.Request) -> None:
        """Lets the connection of a request last: it is no stranger's."""
        self._since[request.protocol] = inf


class _Closing(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _cut_off(connection: web.RequestHandler) -> None:
    transport = connection.transport
    connection.force_close()
    if transport is not None:
        transport.abort()  # closing would wait for as long as the other side takes nothing
