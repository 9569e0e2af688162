"""The short form of a datagram, for slow links: what a manifest has told of a stream is left out.

    a manifest ──(stream, sequence, k of every block)──╮
    short packets ── stream, k and the upper half of the sequence number are put back ──> packets as others are

`FORMAT.md` beside this file specifies it byte by byte.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass, replace

import google_crc32c

from progressive.errors import WireError
from progressive.wire.manifest import Manifest, parse_manifest
from progressive.wire.packet import MAX_DATAGRAM, MAX_INDEX, Kind, Packet
from progressive.wire.short_messages import long_message, short_message

SHORT_VERSION = 2
MAX_KNOWN = 64
"""Streams whose manifests are remembered: those of the one or two that are sent, and of some that have ended."""

_MANIFEST = struct.Struct("!BII")
_PLAIN = struct.Struct("!BBH")
_DATA = struct.Struct("!BBHBB")
_CHECK = struct.Struct("!H")

SHORT_OVERHEAD = _DATA.size + _CHECK.size
"""Bytes of a short data packet that are not payload; other kinds have fewer, but manifests."""

MANIFEST_OVERHEAD = _MANIFEST.size + _CHECK.size
SMALLEST = _PLAIN.size + _CHECK.size
SHORT_END = SMALLEST + 1
"""Bytes of the end of a stream."""

_HALF, _WHOLE = 1 << 15, 1 << 16


class UnknownStream(WireError):  # noqa: N818, names what is wrong
    """A short packet of a stream whose manifest has not come: it may be looked at again when it has."""


@dataclass(slots=True)
class _Known:
    """A stream of which a manifest has been written or read.

    Fields:
        stream: its identifier.
        sources: source packets of each block; empty if the manifest did not tell.
        latest: the highest sequence number, of answers for feedback.
    """

    stream: int
    sources: tuple[int, ...] = ()
    latest: int = 0
    latest_answer: int = 0


def is_short(datagram: bytes) -> bool:
    """Whether it claims to have the short form."""
    return bool(datagram) and datagram[0] >> 4 == SHORT_VERSION


class ShortForm:
    """Writes and reads short datagrams of one end; it knows the streams whose manifests went through it."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def write(self, packet: Packet) -> bytes:
        """The datagram of a packet; of a stream's packets a manifest comes first."""
        first = SHORT_VERSION << 4 | packet.kind
        if packet.kind is Kind.MANIFEST:
            self._learn(packet.stream, parse_manifest(packet.payload), packet.sequence)
            body = _MANIFEST.pack(first, packet.stream, packet.sequence) + packet.payload
        elif packet.kind is Kind.DATA:
            place = packet.block, packet.index
            body = _DATA.pack(first, packet.stream & 0xFF, packet.sequence & 0xFFFF, *place) + packet.payload
        else:
            head = _PLAIN.pack(first, packet.stream & 0xFF, packet.sequence & 0xFFFF)
            body = head + short_message(packet.payload)
        return body + _check_of(packet.stream, body)

    def read(self, datagram: bytes) -> Packet:
        """The packet of a datagram, as if it had come in the long form.

        Raises UnknownStream without its manifest, WireError for anything else that is none.
        """
        if not SMALLEST <= len(datagram) <= MAX_DATAGRAM or not is_short(datagram):
            raise WireError(f"short datagram of {len(datagram)} bytes")
        body = datagram[: -_CHECK.size]
        kind = _kind(datagram[0] & 0x0F)
        if kind is Kind.MANIFEST:
            return self._read_manifest(datagram, body)
        known = self._known.get(datagram[1])
        if known is None:
            raise UnknownStream("short packet of a stream whose manifest has not come")
        if datagram[-_CHECK.size :] != _check_of(known.stream, body):
            raise UnknownStream("short packet is damaged, or of a stream whose manifest has not come")
        if kind is Kind.DATA:
            return _read_data(body, known)
        _, _, low = _PLAIN.unpack_from(body)
        answer = kind is Kind.FEEDBACK
        sequence = _nearest(low, known.latest_answer if answer else known.latest)
        payload = long_message(body[_PLAIN.size :], known.stream, kind)
        if answer:
            known.latest_answer = max(known.latest_answer, sequence)
        else:
            known.latest = max(known.latest, sequence)
        return Packet(kind, known.stream, sequence, payload, short=True)

    def _read_manifest(self, datagram: bytes, body: bytes) -> Packet:
        if len(datagram) < MANIFEST_OVERHEAD:
            raise WireError(f"short manifest of {len(datagram)} bytes")
        _, stream, sequence = _MANIFEST.unpack_from(body)
        if datagram[-_CHECK.size :] != _check_of(stream, body):
            raise WireError("packet checksum does not match: damaged on the way")
        payload = body[_MANIFEST.size :]
        self._learn(stream, parse_manifest(payload), sequence)
        return Packet(Kind.MANIFEST, stream, sequence, payload, short=True)

    def _learn(self, stream: int, manifest: Manifest, sequence: int) -> None:
        known = self._known.get(stream & 0xFF)
        if known is None or known.stream != stream:
            known = _Known(stream, latest=sequence)
        known.latest = max(known.latest, sequence)
        known.sources = known.sources or manifest.sources
        self._known[stream & 0xFF] = known
        self._known.move_to_end(stream & 0xFF)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


def _read_data(body: bytes, known: _Known) -> Packet:
    if len(body) < _DATA.size:
        raise WireError(f"short data packet of {len(body)} bytes")
    _, _, low, block, index = _DATA.unpack_from(body)
    if not known.sources:
        raise UnknownStream("short packet of a stream whose blocks have not been told")
    if block >= len(known.sources):
        raise WireError(f"block {block} of a stream of {len(known.sources)}")
    sequence = _nearest(low, known.latest)
    known.latest = max(known.latest, sequence)
    packet = Packet(Kind.DATA, known.stream, sequence, body[_DATA.size :], short=True)
    return replace(packet, block=block, index=index, k=known.sources[block], n=MAX_INDEX)


def _kind(number: int) -> Kind:
    if number not in {Kind.DATA, Kind.CONTROL, Kind.FEEDBACK, Kind.MANIFEST}:
        raise WireError(f"unknown kind {number} of a short packet")
    return Kind(number)


def _check_of(stream: int, body: bytes) -> bytes:
    """The checksum covers the whole stream identifier, of which a short packet has one byte."""
    return _CHECK.pack(google_crc32c.value(stream.to_bytes(4, "big") + body) & 0xFFFF)


def _nearest(low: int, latest: int) -> int:
    """The sequence number with these lower 16 bits that is nearest to the one after the latest; not below 0."""
    ahead = (low - latest - 1 + _HALF) % _WHOLE - _HALF
    sequence = latest + 1 + ahead
    return sequence if sequence >= 0 else sequence + _WHOLE
