"""How packets become datagrams and back: with a checksum, or sealed with a shared key; either with inner parity."""

from __future__ import annotations

from typing import Protocol

from progressive.errors import WireError
from progressive.wire.inner_parity import add_inner_parity, correct_datagram, without_inner_parity
from progressive.wire.packet import OVERHEAD, Packet, is_packet, parse_header, parse_packet
from progressive.wire.short import ShortForm, is_short

KEY_SIZE = 32
"""Bytes of a key to seal with."""


class SealMismatch(WireError):  # noqa: N818, names what the ends have
    """The other end seals with another key, or one end seals and the other does not; the text says what to do.

    `stream`: of the datagram that showed it.
    """

    def __init__(self, text: str, stream: int) -> None:
        super().__init__(text)
        self.stream = stream


class Replayed(WireError):  # noqa: N818, names what the datagram is
    """A sealed datagram that came before, or too long ago to tell."""


class Envelope(Protocol):
    """Of one end. A sealed one must not be shared: it never seals two packets alike, and takes none twice."""

    @property
    def overhead(self) -> int:
        """Bytes of a datagram that are not payload, inner parity apart."""
        ...

    def wrap(self, packet: Packet) -> bytes:
        """The datagram of a packet."""
        ...

    def unwrap(self, datagram: bytes) -> Packet:
        """The packet of a datagram; raises WireError if it holds none that can be trusted."""
        ...


class PlainEnvelope:
    """A checksum tells damage; anyone could have written the packet. Reads both forms, and writes what it is given."""

    overhead = OVERHEAD

    def __init__(self, inner_parity: int = 0) -> None:
        """`inner_parity`: bytes of parity inside each datagram, the same number on both ends."""
        self._inner_parity = inner_parity
        self._short = ShortForm()

    def wrap(self, packet: Packet) -> bytes:
        data = self._short.write(packet) if packet.short else packet.to_bytes()
        return add_inner_parity(data, self._inner_parity)

    def unwrap(self, datagram: bytes) -> Packet:
        refuse_sealed(without_inner_parity(datagram, self._inner_parity))
        data = correct_datagram(datagram, self._inner_parity, self._is_intact)
        return self._short.read(data) if is_short(data) else parse_packet(data)

    def _is_intact(self, data: bytes) -> bool:
        if not is_short(data):
            return is_packet(data)
        try:
            self._short.read(data)
        except WireError:
            return False
        return True


def refuse_sealed(packet: bytes) -> None:
    """Raises SealMismatch if these packet bytes look sealed."""
    try:
        header = parse_header(packet)
    except WireError:
        return  # perhaps only damaged
    if header.sealed:
        advice = "the packets that come are sealed: start this end with the --key-file of the other"
        raise SealMismatch(advice, header.stream)
