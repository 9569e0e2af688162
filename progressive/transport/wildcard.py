"""A UDP socket at all addresses of this machine that answers from the one that was written to.

Without that the system chooses the address of an answer by the way it takes, and whoever wrote to another one of ours
does not know the answer for one. Linux tells the address with each datagram (IP_PKTINFO, RFC 3542).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import OrderedDict
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

IP_PKTINFO = 8
"""As Linux numbers it; Python has no name for it before 3.14."""

SUPPORTED = sys.platform == "linux"

MAX_CORRESPONDENTS = 1024
"""Addresses of others of which is known where they wrote to: as many as a proxy could have senders, several times."""

MAX_READ = 1 << 16
READ_AT_ONCE = 64
"""Datagrams taken before others have their turn on the event loop."""

_V4 = struct.Struct("=i4s4s")
_V6 = struct.Struct("=16si")


def is_wildcard(host: str) -> bool:
    """Whether this stands for all addresses of the machine: `0.0.0.0` or `::`."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


class WildcardEndpoint(asyncio.DatagramTransport):
    """A bound socket as asyncio's datagram transports are; what cannot be sent at once is lost."""

    def __init__(self, protocol: asyncio.DatagramProtocol, place: tuple[str, int]) -> None:
        """Binds to `place`; raises OSError if that is impossible. Needs a running event loop."""
        version_6 = ":" in place[0]
        self._socket = socket.socket(socket.AF_INET6 if version_6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            if version_6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                self._socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            self._socket.bind(place)
        except BaseException:
            self._socket.close()
            raise
        super().__init__({"sockname": self._socket.getsockname()})
        self._protocol = protocol
        self._written_to: OrderedDict[Any, bytes] = OrderedDict()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Sends to `addr`, from the address of ours that it last wrote to."""
        ours = self._written_to.get(addr)
        try:
            self._socket.sendmsg([data], [] if ours is None else [_source(ours)], 0, addr)
        except BlockingIOError:
            pass
        except OSError as error:
            self._protocol.error_received(error)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(READ_AT_ONCE):
                if self._closing:
                    return
                try:
                    data, told, _, source = self._socket.recvmsg(MAX_READ, socket.CMSG_SPACE(_V6.size))
                except BlockingIOError:
                    raise
                except OSError as error:
                    self._protocol.error_received(error)
                    continue
                self._note(source, told)
                self._protocol.datagram_received(data, source)

    def _note(self, source: Any, told: list[tuple[int, int, bytes]]) -> None:
        for level, kind, value in told:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                self._written_to[source] = _V4.unpack(value)[1]
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                self._written_to[source] = _V6.unpack(value)[0]
            else:
                continue
            self._written_to.move_to_end(source)
            if len(self._written_to) > MAX_CORRESPONDENTS:
                self._written_to.popitem(last=False)


def _source(ours: bytes) -> tuple[int, int, bytes]:
    """What makes a datagram leave from this address of ours, 4 or 16 bytes."""
    if len(ours) == 4:
        return socket.IPPROTO_IP, IP_PKTINFO, _V4.pack(0, ours, bytes(4))
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _V6.pack(ours, 0)
