"""One connection between a sender and a receiver as a transport: two data channels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from aiortc import RTCDataChannel, RTCPeerConnection
from aiortc.exceptions import InvalidStateError

from progressive.transport.base import TransportClosed
from progressive.transport.inbox import Inbox
from progressive.transport.webrtc.connection import let_only_dtls_in
from progressive.wire.packet import MAX_DATAGRAM, Kind

MEDIA, CONTROL = 0, 1
"""Identifiers of the channels, which both ends agree on beforehand."""

MAX_MESSAGE = 1100
"""Largest packet that is sent, in bytes: it then fits one SCTP chunk, and its datagram an Ethernet frame."""

MAX_REFUSED = 1000
"""Messages that are no packets after which a peer is taken for a hostile one."""

MAX_MISSING_CHUNKS = 4096
"""SCTP chunks kept behind a gap, several megabytes: an honest peer's flight is far smaller."""

CLOSING_S = 3.0
"""How long a connection may take to close: on a loaded machine, or where a TURN server does not answer any more."""

_ON_CONTROL = {Kind.CONTROL, Kind.FEEDBACK}


class PeerTransport:
    """Packets of photos on the unordered channel, where nothing is sent again; control and feedback on the other.

    Closed when either end closes the connection, when it fails, and when the peer does what no honest one does.
    """

    def __init__(self, connection: RTCPeerConnection, *, buffer_bytes: int) -> None:
        """
        Args:
            connection: new, without channels; from now on this object's, which closes it.
            buffer_bytes: what may wait to be sent; packets beyond it are dropped.
        """
        self.dropped = self.refused = 0
        self._connection = connection
        self._buffer_bytes = buffer_bytes
        self._inbox: Inbox[bytes] = Inbox()
        self._open, self._lost = asyncio.Event(), asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._media = connection.createDataChannel("media", negotiated=True, id=MEDIA, ordered=False, maxRetransmits=0)
        self._control = connection.createDataChannel("control", negotiated=True, id=CONTROL)
        let_only_dtls_in(connection)
        for channel in (self._media, self._control):
            self._follow_channel(channel)
        connection.on("connectionstatechange", self._follow_state)
        connection.on("datachannel", lambda _channel: self.close())

    @property
    def connection(self) -> RTCPeerConnection:
        return self._connection

    @property
    def closed(self) -> bool:
        return self._lost.is_set()

    async def wait_open(self, seconds: float) -> None:
        """Until packets can be sent; raises TransportClosed if that fails or takes longer than this."""
        await _wait(self._open, seconds)
        if self.closed or not self._open.is_set():
            raise TransportClosed("no connection came about")

    async def wait_lost(self, seconds: float | None = None) -> bool:
        """Until the connection is closed, so many seconds at most if it is said; whether it is."""
        await _wait(self._lost, seconds)
        return self.closed

    async def send(self, data: bytes) -> None:
        channel = self._control if data[0] & 0x0F in _ON_CONTROL else self._media
        if channel.bufferedAmount + len(data) > self._buffer_bytes:
            self.dropped += 1
            return
        with suppress(InvalidStateError):
            channel.send(data)

    async def receive(self) -> bytes:
        return await self._inbox.get()

    def close(self) -> None:
        if not self.closed:
            self._lost.set()
            self._open.set()
            self._inbox.close()
            self._closing = asyncio.ensure_future(self._connection.close())

    async def wait_closed(self) -> None:
        """Until no task of the connection's is left that would be complained of at the end; `CLOSING_S` at most."""
        if self._closing is not None:
            await to_its_end(_finish(self._closing))

    @property
    def is_hostile(self) -> bool:
        """Whether the peer sends more than it was allowed to, or leaves chunk after chunk incomplete.

        aiortc announces a receive window but takes what exceeds it: whoever keeps a connection looks now and then.
        """
        sctp = self._connection.sctp
        window = getattr(sctp, "_advertised_rwnd", 0)
        missing = getattr(sctp, "_sack_misordered", ())
        return window < 0 or len(missing) > MAX_MISSING_CHUNKS or self.refused > MAX_REFUSED

    def _follow_channel(self, channel: RTCDataChannel) -> None:
        channel.on("open", self._note_open)
        channel.on("message", self._take)
        channel.on("close", self.close)

    def _note_open(self) -> None:
        if self._media.readyState == self._control.readyState == "open":
            self._open.set()

    def _take(self, message: bytes | str) -> None:
        if isinstance(message, bytes) and 0 < len(message) <= MAX_DATAGRAM:
            self._inbox.put(message)
            return
        self.refused += 1
        if self.refused > MAX_REFUSED:
            self.close()

    def _follow_state(self) -> None:
        if self._connection.connectionState in {"failed", "closed"}:
            self.close()


async def to_its_end(work: Coroutine[None, None, None]) -> None:
    """Waits for what must not be cut off, and takes a bounded time; a cancellation is raised once it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _finish(closing: asyncio.Task[None]) -> None:
    try:
        await asyncio.wait([closing], timeout=CLOSING_S)
    finally:
        closing.cancel()
        await asyncio.wait([closing])


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
