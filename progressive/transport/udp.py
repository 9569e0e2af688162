"""Datagrams over UDP. A sender talks to one address; a receiver listens to one sender at a time and answers it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from errno import EADDRINUSE
from math import inf
from typing import Literal
from urllib.parse import urlsplit

from progressive.errors import UsageError, WireError
from progressive.transport.access import Access
from progressive.transport.inbox import Inbox
from progressive.wire.envelope import Envelope, PlainEnvelope, SealMismatch
from progressive.wire.packet import MAX_DATAGRAM, sealed_at

PEER_HOLD_S = 3.0
"""A sender that has been silent for this long has gone, and another may take its place."""

OUTDATED_S = 10
"""Who sends what was sealed so much earlier than another's packets sends recorded ones, and makes room for them."""

SocketAddress = tuple[str | int, ...]

Origin = Literal["ours", "sealed otherwise", "nonsense"]
"""What a datagram tells of who sent it."""


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

    def __init__(self, socket_transport: asyncio.DatagramTransport, protocol: _Protocol) -> None:
        self._socket = socket_transport
        self._protocol = protocol

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
        return self._protocol.strangers

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
        if self._protocol.connected:
            self._socket.sendto(data)
        elif self._protocol.peer is not None:
            self._socket.sendto(data, self._protocol.peer)

    async def receive(self) -> bytes:
        while True:
            data, source = await self._protocol.inbox.get()
            if self._protocol.admits(data, source):
                return data

    def close(self) -> None:
        self._protocol.inbox.close()
        self._socket.close()

    async def wait_closed(self) -> None:
        """UDP tells nobody."""


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, *, connected: bool, origin: Callable[[bytes], Origin]) -> None:
        self.inbox: Inbox[tuple[bytes, SocketAddress]] = Inbox()
        self.connected = connected
        self.origin = origin
        self.peer: SocketAddress | None = None
        self.refusals = self.strangers = 0
        self._heard_s = -inf
        self._sealed_s = 0  # when the latest of the peer's packets was sealed

    def admits(self, data: bytes, source: SocketAddress) -> bool:
        """Whether to take a datagram: anyone's valid packet makes a peer, who is then alone until it has gone, or is
        outdated by somebody else's that was sealed later."""
        now = asyncio.get_running_loop().time()
        stranger = source != self.peer and now - self._heard_s < PEER_HOLD_S
        sealed_s = sealed_at(data)
        newer = sealed_s is not None and sealed_s > self._sealed_s + OUTDATED_S
        origin = self.origin(data) if newer or not stranger else "nonsense"
        if stranger and origin != "ours":
            self.strangers += 1
            return False
        if origin == "ours":
            self._sealed_s = max(self._sealed_s if source == self.peer else 0, sealed_s or 0)
            self.peer, self._heard_s = source, now
        elif origin == "sealed otherwise" and now - self._heard_s >= PEER_HOLD_S:
            self.peer = source  # to be told so, and to hold nobody's place
        return True

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
    return await _open(address, connected=True, origin=lambda _datagram: "ours")


async def open_udp_receiver(address: UdpAddress, envelope: Envelope | None = None) -> UdpTransport:
    """A transport that listens at this address; raises UsageError if that is impossible.

    Args:
        address: port 0 lets the system choose one.
        envelope: for this transport alone; None for a plain one. The source of a datagram that it takes becomes the
            peer to answer.
    """
    opener = envelope or PlainEnvelope()

    def origin(datagram: bytes) -> Origin:
        try:
            opener.unwrap(datagram)
        except SealMismatch:
            return "sealed otherwise"
        except WireError:
            return "nonsense"
        return "ours"

    return await _open(address, connected=False, origin=origin)


async def listen(url: str, access: Access, _say: Callable[[str], None]) -> UdpTransport:
    """Opens what a receiver listens at by its URL; raises UsageError if that is impossible."""
    return await open_udp_receiver(parse_udp_url(url), access.envelope())


async def _open(address: UdpAddress, *, connected: bool, origin: Callable[[bytes], Origin]) -> UdpTransport:
    protocol = _Protocol(connected=connected, origin=origin)
    return UdpTransport(await open_endpoint(protocol, address, connected=connected), protocol)


async def open_endpoint(
    protocol: asyncio.DatagramProtocol, address: UdpAddress, *, connected: bool
) -> asyncio.DatagramTransport:
    """A UDP socket that sends to this address or listens at it; raises UsageError if that is impossible."""
    place = (address.host, address.port)
    loop = asyncio.get_running_loop()
    try:
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
