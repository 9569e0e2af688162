"""The datagram: a fixed header in network order, a payload, and a CRC-32C (or, where it is sealed, a salt and a tag).

`FORMAT.md` beside this file specifies it byte by byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import google_crc32c

from progressive.errors import WireError

VERSION = 1
MAX_DATAGRAM = 1472
"""Largest datagram, in bytes: an Ethernet frame of 1500 less the IPv4 and UDP headers, so that none is fragmented."""

MAX_SOURCES = 64
"""Most source packets of a block: bounds what one block makes a receiver hold, and the cost of its inversion."""

MAX_INDEX = 255
"""Highest index in a block: the code is over GF(256)."""

MAX_STRIPED = MAX_INDEX + 1 - MAX_SOURCES
"""Most striped packets of a stream: their indices follow those of up to MAX_SOURCES sources."""

FLAG_SEALED = 0x01

_HEADER = struct.Struct("!BBIIHBBBH")
_CRC = struct.Struct("!I")
HEADER_SIZE = _HEADER.size
OVERHEAD = HEADER_SIZE + _CRC.size
"""Bytes of a datagram that are not payload."""

TIME_SIZE = 4
SALT_SIZE = 12
"""When it was drawn, in TIME_SIZE bytes, and random ones."""

TAG_SIZE = 16
SEALED_OVERHEAD = HEADER_SIZE + SALT_SIZE + TAG_SIZE
"""The same of a sealed datagram."""


class Kind(IntEnum):
    """What a packet carries: `DATA` source or parity of a block; `CONTROL` a message of the sender; `FEEDBACK` one of
    the receiver; `STRIPES` a stripe of every class; `MANIFEST` what is told once of a stream."""

    DATA = 0
    CONTROL = 1
    FEEDBACK = 2
    STRIPES = 3
    MANIFEST = 4


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram.

    Fields:
        kind: what the payload is.
        stream: identifier of the stream, 0..2^32-1.
        sequence: number of this datagram among those of the same sender and stream, from 0.
        block: number of the Reed-Solomon block, 0..65535.
        index: place in the block: below `k` a source packet, from `k` to 255 a parity packet.
        k: source packets of the block, 1..MAX_SOURCES.
        n: packets of the block that its sender plans to send, k..255; may change while the stream is sent.
        payload: records (source), parity bytes, or a control message.
        short: it has, or came in, the short form of `progressive.wire.short`, and its records do.

    Control and feedback packets have `block`, `index`, `k` and `n` zero, striped ones `block` and `k`.
    """

    kind: Kind
    stream: int
    sequence: int
    payload: bytes
    block: int = 0
    index: int = 0
    k: int = 0
    n: int = 0
    short: bool = False

    def header_bytes(self, flags: int = 0) -> bytes:
        """The first HEADER_SIZE bytes of the datagram."""
        return _HEADER.pack(
            VERSION << 4 | self.kind,
            flags,
            self.stream,
            self.sequence,
            self.block,
            self.index,
            self.k,
            self.n,
            len(self.payload),
        )

    def to_bytes(self) -> bytes:
        body = self.header_bytes() + self.payload
        return body + _CRC.pack(google_crc32c.value(body))


@dataclass(frozen=True, slots=True)
class Header:
    """What a packet says of itself before its payload; the fields are those of `Packet`. Anyone can read it, and
    nothing vouches for it yet: neither checksum nor tag."""

    sealed: bool
    kind: Kind
    stream: int
    sequence: int
    block: int
    index: int
    k: int
    n: int

    def packet(self, payload: bytes) -> Packet:
        return Packet(self.kind, self.stream, self.sequence, payload, self.block, self.index, self.k, self.n)


class Kept(bytes):
    """A datagram that somebody on the way kept for receivers that come later: what it holds is good, but when it was
    sent, and what was lost before it, says nothing about the way to this receiver."""

    __slots__ = ()


def parse_header(datagram: bytes) -> Header:
    """The header of the one packet that a datagram holds, sealed or not; raises WireError for anything else."""
    if not OVERHEAD <= len(datagram) <= MAX_DATAGRAM:
        raise WireError(f"datagram of {len(datagram)} bytes, expected {OVERHEAD}..{MAX_DATAGRAM}")
    first, flags, stream, sequence, block, index, k, n, length = _HEADER.unpack_from(datagram)
    if first >> 4 != VERSION:
        raise WireError(f"packet version {first >> 4}, this program speaks version {VERSION}")
    if flags & ~FLAG_SEALED:
        raise WireError(f"unknown packet flags {flags:#04x}")
    promised = length + (SEALED_OVERHEAD if flags else OVERHEAD)
    if len(datagram) != promised:
        raise WireError(f"datagram of {len(datagram)} bytes promises {promised}")
    return Header(bool(flags), _parse_kind(first & 0x0F, block, index, k, n), stream, sequence, block, index, k, n)


def sealed_at(datagram: bytes) -> int | None:
    """When a sealed packet says that its salt was drawn, in seconds since 1970; None for one that is not sealed.

    Nothing vouches for it before the packet opens.
    """
    if len(datagram) < SEALED_OVERHEAD or not datagram[1] & FLAG_SEALED:
        return None
    return int.from_bytes(datagram[HEADER_SIZE : HEADER_SIZE + TIME_SIZE], "big")


def claimed_stream(datagram: bytes) -> int | None:
    """The stream that the header of a datagram names, whatever else is wrong with it; None without a whole header."""
    return None if len(datagram) < HEADER_SIZE else int(_HEADER.unpack_from(datagram)[2])


def parse_packet(datagram: bytes) -> Packet:
    """Parses the one packet that a datagram holds, not sealed; raises WireError for anything else."""
    header = parse_header(datagram)
    if header.sealed:
        raise WireError("packet is sealed, no key")
    end = len(datagram) - _CRC.size
    if _CRC.unpack_from(datagram, end)[0] != google_crc32c.value(datagram[:end]):
        raise WireError("packet checksum does not match: damaged on the way")
    return header.packet(datagram[HEADER_SIZE:end])


def is_packet(datagram: bytes) -> bool:
    """Whether `parse_packet` would accept this datagram."""
    try:
        parse_packet(datagram)
    except WireError:
        return False
    return True


def _parse_kind(number: int, block: int, index: int, k: int, n: int) -> Kind:
    try:
        kind = Kind(number)
    except ValueError:
        raise WireError(f"unknown packet kind {number}") from None
    if kind is Kind.DATA:
        if not 1 <= k <= MAX_SOURCES or n < k:
            raise WireError(f"impossible block: k {k}, n {n}, expected 1 <= k <= {MAX_SOURCES} and k <= n")
    elif kind is Kind.STRIPES:
        if block or k or index >= MAX_STRIPED:
            raise WireError(f"impossible striped packet: block {block}, k {k}, index {index}")
    elif block or index or k or n:
        raise WireError("control packet claims a place in a block")
    return kind
