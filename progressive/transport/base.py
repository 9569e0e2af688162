"""The interface of everything that carries datagrams."""

from __future__ import annotations

from typing import Protocol

from progressive.errors import ProgressiveError


class TransportClosed(ProgressiveError):  # noqa: N818, a state rather than a mistake
    """Nothing more will arrive: this end or the other has closed the transport."""


class Transport(Protocol):
    """Carries datagrams to a peer and back: in any order, each perhaps never or twice."""

    async def send(self, data: bytes) -> None:
        """Sends one datagram; does nothing once closed, or while no peer is known."""
        ...

    async def receive(self) -> bytes:
        """The next datagram; raises TransportClosed when there will be none. Cancelling it loses none."""
        ...

    def close(self) -> None:
        """Frees what the transport holds; may be called twice."""
        ...
