"""Making of peer connections: which servers help, which addresses are offered."""

from __future__ import annotations

import logging

import aioice.ice
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from aiortc.rtcicetransport import connection_kwargs

from progressive.errors import UsageError

DTLS = range(20, 64)
"""First bytes of its records."""

_gathered_addresses = aioice.ice.get_host_addresses


def _addresses_or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return _gathered_addresses(use_ipv4, use_ipv6) or ["127.0.0.1"] * use_ipv4


# aioice never offers loopback, which leaves two programs of a machine without a network nothing to meet at.
aioice.ice.get_host_addresses = _addresses_or_loopback

# Both print a traceback for what a hostile peer, or anyone who knows the port, makes them refuse.
for _library in ("aioice", "aiortc"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


def check_ice_servers(urls: tuple[str, ...]) -> None:
    """Raises UsageError unless all are URLs of STUN or TURN servers."""
    for url in urls:
        try:
            connection_kwargs([RTCIceServer(url)])
        except ValueError:
            raise UsageError(f"{url!r} is not an ICE server: write stun:HOST:PORT or turn:HOST:PORT") from None


def make_connection(ice_servers: tuple[str, ...]) -> RTCPeerConnection:
    """A connection that asks these servers, and no others, where it can be reached from outside."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(url) for url in ice_servers]))


def let_only_dtls_in(connection: RTCPeerConnection) -> None:
    """Drops what is not DTLS (RFC 7983) of what comes to a connection's port, once it has a data channel.

    aiortc ends a connection when an empty datagram comes, which anyone may send there.
    """
    assert connection.sctp is not None
    ice = connection.sctp.transport.transport
    receive = ice._recv  # noqa: SLF001, aiortc has no other place for a filter

    async def receive_dtls() -> bytes:
        while True:
            data: bytes = await receive()
            if data and data[0] in DTLS:
                return data

    ice._recv = receive_dtls  # noqa: SLF001
