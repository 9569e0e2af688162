"""A link between real sockets: UDP datagrams from any sender pass simulated links to one or more receivers, and back.

sender --> listening socket --+--> Link --> receiver 1      answers of receiver 1 --> Link --> sender
                              +--> Link --> receiver 2
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from channel_sim.link import Link, LinkSettings, Passage
from progressive.errors import UsageError
from progressive.transport.base import TransportClosed
from progressive.transport.delay_line import DelayLine
from progressive.transport.inbox import Inbox
from progressive.transport.peer import SocketAddress
from progressive.transport.udp import UdpAddress, UdpTransport, open_endpoint, open_udp_sender

MAX_SENDERS = 64
"""Each holds a socket for each receiver; a further sender takes the place of the one silent for longest."""

LATEST_PACKETS = 1000
"""How many packets the live figures look back on."""


@dataclass(slots=True)
class Path:
    """The way to a receiver and back.

    Fields:
        address: the receiver's.
        there, back: the links.
        latest: how the latest packets passed `there`.
    """

    address: UdpAddress
    there: Link
    back: Link
    latest: deque[Passage]

    @classmethod
    def seeded(cls, address: UdpAddress, there: LinkSettings, back: LinkSettings, seed: int) -> Path:
        """With the links of a local run of this seed."""
        return cls(address, Link(there, seed=2 * seed), Link(back, seed=2 * seed + 1), deque(maxlen=LATEST_PACKETS))


class Proxy:
    """Carries datagrams until it is cancelled or closed.

    All senders share the links; what comes from a sender goes to every receiver. Only the first receiver's answers go
    back: a sender of one stream has one peer.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise UsageError("a proxy needs a receiver: give --forward udp://HOST:PORT")
        self.paths = list(paths)
        self._senders: OrderedDict[SocketAddress, _Sender] = OrderedDict()
        self._arrivals: Inbox[tuple[float, bytes, SocketAddress]] = Inbox()

    async def listen(self, address: UdpAddress) -> UdpAddress:
        """Takes datagrams at this address from now on; returns the one in use. Raises UsageError if it cannot.

        That the receivers can be sent to is tried first.
        """
        for path in self.paths:
            (await open_udp_sender(path.address)).close()
        self._on_the_way = DelayLine()
        self._socket = await open_endpoint(_Listener(self._arrivals), address, connected=False)
        return UdpAddress(*self._socket.get_extra_info("sockname")[:2])

    async def run(self) -> None:
        """Passes on what comes, until `close`."""
        try:
            while True:
                now, data, source = await self._arrivals.get()
                sender = await self._sender(source)
                for path, transport in zip(self.paths, sender.transports, strict=True):
                    passage = path.there.carry(data, now)
                    path.latest.append(passage)
                    for arrival_s, received in passage.arrivals:
                        self._on_the_way.put(arrival_s, received, transport.send_now)
        except TransportClosed:
            return
        finally:
            self._release()

    def close(self) -> None:
        self._arrivals.close()

    @property
    def overflowed(self) -> int:
        """Datagrams dropped because this process could not keep up or would have needed too much memory."""
        return self._arrivals.dropped + self._on_the_way.overflowed

    async def _sender(self, source: SocketAddress) -> _Sender:
        """What belongs to the sender at this address, who is now the one heard last."""
        if source not in self._senders:
            if len(self._senders) >= MAX_SENDERS:
                self._senders.popitem(last=False)[1].close()
            transports = [await open_udp_sender(path.address) for path in self.paths]
            answers = asyncio.create_task(self._return_answers(transports[0], source))
            self._senders[source] = _Sender(transports, answers)
        self._senders.move_to_end(source)
        return self._senders[source]

    async def _return_answers(self, transport: UdpTransport, source: SocketAddress) -> None:
        link = self.paths[0].back
        clock = asyncio.get_running_loop().time
        try:
            while True:
                answer = await transport.receive()
                for arrival_s, received in link.send(answer, clock()):
                    self._on_the_way.put(arrival_s, received, partial(self._answer, source))
        except TransportClosed:
            return

    def _answer(self, source: SocketAddress, data: bytes) -> None:
        if not self._socket.is_closing():
            self._socket.sendto(data, source)

    def _release(self) -> None:
        self._on_the_way.close()
        self._socket.close()
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()


@dataclass(frozen=True, slots=True)
class _Sender:
    """The sockets that stand for a sender, one for each receiver, and the task that returns the first one's answers."""

    transports: list[UdpTransport]
    answers: asyncio.Task[None]

    def close(self) -> None:
        self.answers.cancel()
        for transport in self.transports:
            transport.close()


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, arrivals: Inbox[tuple[float, bytes, SocketAddress]]) -> None:
        self._arrivals = arrivals
        self._clock = asyncio.get_running_loop().time

    def datagram_received(self, data: bytes, addr: SocketAddress) -> None:
        self._arrivals.put((self._clock(), data, addr))

    def error_received(self, exc: Exception) -> None:
        """A sender that has gone cannot be answered: no matter of the proxy's."""
