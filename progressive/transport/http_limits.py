"""How much of a server strangers may take: connections, time, and guesses."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import inf

from aiohttp import web

from progressive.transport.descriptors import affordable, bear_shortage

MOST_GUESSES = 10
"""Wrong tokens of one address within GUESSES_S: a person who mistypes needs fewer."""

GUESSES_S = 60.0
MOST_GUESSERS = 1024
"""Addresses whose wrong tokens are counted; of more the first ones are forgotten."""


class Guesses:
    """Counts wrong tokens, so that nobody tries one after the other: whoever showed many has to wait a minute."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def must_wait(self, remote: str | None, now: float) -> bool:
        """Whether an address has shown too many wrong tokens lately."""
        return sum(now - time_s < GUESSES_S for time_s in self._wrong.get(_network(remote), ())) >= MOST_GUESSES

    def note(self, remote: str | None, now: float) -> None:
        """An address has shown a wrong token."""
        times = self._wrong.setdefault(_network(remote), [])
        times.append(now)
        del times[:-MOST_GUESSES]
        self._wrong.move_to_end(_network(remote))
        if len(self._wrong) > MOST_GUESSERS:
            self._wrong.popitem(last=False)


def _network(remote: str | None) -> str:
    """An address, or of IPv6 the network that one subscriber has."""
    try:
        address = ip_address((remote or "").partition("%")[0])
    except ValueError:
        return remote or ""
    return str(address) if address.version == 4 else str(ip_network(f"{address}/64", strict=False))


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
        self._most, self._longest_s = affordable(most), longest_s
        self._since: dict[web.RequestHandler, float] = {}

    def protocols(self, server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
        """A maker of protocols for `create_server`."""
        bear_shortage(asyncio.get_running_loop())
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
