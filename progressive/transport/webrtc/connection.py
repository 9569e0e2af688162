"""Making of peer connections: which servers help, which addresses are offered."""

from __future__ import annotations

import aioice.ice
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from aiortc.rtcicetransport import connection_kwargs

from progressive.errors import UsageError

_gathered_addresses = aioice.ice.get_host_addresses


def _addresses_or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return _gathered_addresses(use_ipv4, use_ipv6) or ["127.0.0.1"] * use_ipv4


# aioice never offers loopback, which leaves two programs of a machine without a network nothing to meet at.
aioice.ice.get_host_addresses = _addresses_or_loopback


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
