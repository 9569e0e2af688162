"""Datagrams over UDP. A sender talks to one address; a receiver listens to one sender at a time and answers it."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from errno import EADDRINUSE
from urllib.parse import urlsplit

from progressive.errors import UsageError
from progressive.transport.access import Access
from progressive.transport.inbox import Inbox
from progressive.transport.peer import Peer, SocketAddress
from progressive.transport.schemes import Say
from progressive.transport.wildcard import SUPPORTED, WildcardEndpoint, is_wildcard
from progressive.wire.envelope import Envelope, PlainEnvelope
from progressive.wire.packet import MAX_DATAGRAM

MAX_TOLD = 8
"""Senders turned away that a person is told of by their addresses; further ones are counted."""


@dataclass(frozen=True, slots=True)
class UdpAddress:
    """Where to send to or listen at; prints as the URL it was parsed from."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"udp://{host}:{self.port}"


def parse_udp_url(url: str) -> UdpAddress:
    """Parses `udp://HOST:PORT`, an IPv6 host in brackets; raises UsageError for anything else."""
    form = "write udp://HOST:PORT, such as udp://127.0.0.1:9000"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{url!r} is not an address: {form}, with a port of 0 to 65535") from None
    if parts.scheme != "udp":
        raise UsageError(f"{url!r} is not a UDP address: {form}")
    if not host or port is None:
        raise UsageError(f"{url!r} lacks a {'port' if host else 'host'}: {form}")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(f"{url!r} holds more than a host and a port: {form}")
    return UdpAddress(host, port)


class UdpTransport:
    """A UDP socket as a transport; made by `open_udp_sender` and `open_udp_receiver`."""

    def __init__(
        self, socket_transport: asyncio.DatagramTransport, protocol: _Protocol, peer: Peer | None, say: Say
    ) -> None:
        """`peer`: who is listened to; None for a socket that is connected to its only one."""
        self._socket = socket_transport
        self._protocol = protocol
        self._peer, self._say = peer, say
        self._told: set[SocketAddress] = set()

    @property
    def local_address(self) -> UdpAddress:
        """The address in use; tells the port that the system chose where 0 was asked for."""
        host, port = self._socket.get_extra_info("sockname")[:2]
        return UdpAddress(host, port)

    @property
    def place(self) -> str:
        return f"listening at {self.local_address}"

    @property
    def strangers(self) -> int:
        """Datagrams dropped because they came from someone else while a sender was at it."""
        return 0 if self._peer is None else self._peer.strangers

    @property
    def dropped_in_words(self) -> str:
        count = self.strangers
        return f"dropped {count} datagram{'s' * (count != 1)} of others than the sender" if count else ""

    @property
    def refusals(self) -> int:
        """Errors that the network reported, such as a port where nobody listens."""
        return self._protocol.refusals

    async def send(self, data: bytes) -> None:
        self.send_now(data)

    def send_now(self, data: bytes) -> None:
        """As `send`, which never waits, for callers that are no coroutines."""
        if self._socket.is_closing():
            return
        if self._peer is None:
            self._socket.sendto(data)
        elif self._peer.address is not None:
            self._socket.sendto(data, self._peer.address)

    async def receive(self) -> bytes:
        while True:
            data, source = await self._protocol.inbox.get()
            if self._peer is None:
                return data
            admission = self._peer.admit(data, source, asyncio.get_running_loop().time())
            if admission.taken:
                return data
            if admission.answer:
                self._tell(source)
                self._socket.sendto(admission.answer, source)

    def close(self) -> None:
        self._protocol.inbox.close()
        self._socket.close()

    def finished(self) -> None:
        if self._peer is not None:
            self._peer.release()

    async def wait_closed(self) -> None:
        """UDP tells nobody."""

    def _tell(self, source: SocketAddress) -> None:
        """Says once that a sender is turned away."""
        if source not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(source)
            who = UdpAddress(str(source[0]), int(source[1]))
            self._say(f"another sender, at {who}, is turned away while this one is at it")


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.inbox: Inbox[tuple[bytes, SocketAddress]] = Inbox()
        self.refusals = 0

    def datagram_received(self, data: bytes, addr: SocketAddress) -> None:
        if len(data) <= MAX_DATAGRAM:  # what is larger would only fill the memory until it is refused
            self.inbox.put((data, addr))

    def error_received(self, exc: Exception) -> None:
        # The peer may only be starting: what never comes is a matter of the session's.
        self.refusals += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.inbox.close()


async def open_udp_sender(address: UdpAddress) -> UdpTransport:
    """A transport to this address; raises UsageError if it cannot be reached at all."""
    if not address.port:
        raise UsageError(f"{address} has no port to send to: use 1 to 65535")
    protocol = _Protocol()
    return UdpTransport(await open_endpoint(protocol, address, connected=True), protocol, None, _tell_nobody)


async def open_udp_receiver(
    address: UdpAddress, envelope: Envelope | None = None, say: Say | None = None
) -> UdpTransport:
    """A transport that listens at this address; raises UsageError if that is impossible.

    Args:
        address: port 0 lets the system choose one.
        envelope: for this transport alone; None for a plain one. The source of a datagram that it takes becomes the
            peer to answer.
        say: takes a line about a sender that is turned away; None tells nobody.
    """
    protocol = _Protocol()
    endpoint = await open_endpoint(protocol, address, connected=False)
    return UdpTransport(endpoint, protocol, Peer(envelope or PlainEnvelope()), say or _tell_nobody)


async def listen(url: str, access: Access, say: Say) -> UdpTransport:
    """Opens what a receiver listens at by its URL; raises UsageError if that is impossible."""
    return await open_udp_receiver(parse_udp_url(url), access.envelope(), say)


async def connect(url: str, _access: Access, _say: Say) -> UdpTransport:
    """Opens what a sender sends to a receiver by, given its URL; raises UsageError if that is impossible."""
    return await open_udp_sender(parse_udp_url(url))


def _tell_nobody(_text: str) -> None:
    """For who does not want to know."""


async def open_endpoint(
    protocol: asyncio.DatagramProtocol, address: UdpAddress, *, connected: bool
) -> asyncio.DatagramTransport:
    """A UDP socket that sends to this address or listens at it; raises UsageError if that is impossible.

    One that listens at all addresses of the machine answers from the one that was written to, where the system can.
    """
    place = (address.host, address.port)
    loop = asyncio.get_running_loop()
    try:
        if SUPPORTED and not connected and is_wildcard(address.host):
            return WildcardEndpoint(protocol, place)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: protocol,
            local_addr=None if connected else place,
            remote_addr=place if connected else None,
        )
    except socket.gaierror:
        raise UsageError(f"{address.host!r} is not a known host: check the address {address}") from None
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == EADDRINUSE:
            raise UsageError(f"{address} is in use: stop what listens there, or choose another port") from None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{address} cannot be {'sent to' if connected else 'listened at'}: {reason}") from None
    return transport
