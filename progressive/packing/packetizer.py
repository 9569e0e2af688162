"""Segments in sending order -> records -> source packets -> blocks by priority class.

    header, base segments      block 0, 1, ..   layer 0, the header again in every packet
    enhance segments           tiers of 8, 16, 32, 32, .. packets, a block each: layers 1, 2, 3, ..

Early tiers are short, so that they are protected and restored early; of small packets they have more. Packing is greedy
in the given order, so a stream cut short packs into the same packets as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from progressive.errors import UsageError
from progressive.stream import Segment, StreamHeader
from progressive.wire.manifest import SMALLEST_PAYLOAD
from progressive.wire.packet import OVERHEAD, SEALED_OVERHEAD
from progressive.wire.placement import PLACEMENT_SIZE, Placement, header_data
from progressive.wire.protection import BlockShape, Slot
from progressive.wire.records import HEADER_ID, RECORD_OVERHEAD, Record, write_records
from progressive.wire.short import MANIFEST_OVERHEAD, SHORT_OVERHEAD
from progressive.wire.short_records import (
    MAX_PARTS,
    PART_OVERHEAD,
    SHORT_RECORD_OVERHEAD,
    Part,
    in_parts,
    largest_in_parts,
    short_size,
    write_short_records,
)

MAX_BLOCK_SOURCES = 32
FIRST_TIER_PACKETS = 8
FIRST_TIER_BYTES = 8800
"""The first tier has at least so many packets, and about so many bytes: a code of few packets is a weak one."""

SMALLEST_SHORT = SMALLEST_PAYLOAD + MANIFEST_OVERHEAD
"""Bytes of the smallest datagrams in the short form."""

FEW_BYTES = 64
FEW_PARTS = 2
"""In payloads of at most so many bytes segments come in two parts. One that is lost costs both, and still that is
better: each says what it is in bytes that take a tenth of so small a segment."""

HEADER_ALLOWANCE = 20
"""Bytes kept free beside every segment for the stream header: its 16 fixed ones and a few parameters. A longer header
goes into a packet of its own."""


def max_segment_payload(
    packet_size: int, inner_parity: int = 0, *, smallest: int = 1, placed: bool = False, sealed: bool = False
) -> int:
    """Payload limit to ask a codec for, in bytes, so that any segment and the stream header share a datagram.

    With `placed` there is room for a placement too, with `sealed` for what sealing adds. Raises UsageError if datagrams
    of `packet_size` bytes are too small for the `smallest` segments that a codec can make.
    """
    header_size = HEADER_ALLOWANCE + (PLACEMENT_SIZE if placed else 0)
    overhead = SEALED_OVERHEAD if sealed else OVERHEAD
    room = packet_size - inner_parity - overhead - 2 * RECORD_OVERHEAD - header_size
    if room < smallest:
        needed = packet_size + smallest - room
        raise UsageError(f"packets of {packet_size} bytes are too small: use {needed} or more")
    return room


def max_short_payload(packet_size: int, inner_parity: int = 0, *, smallest: int = 1) -> int:
    """Payload limit to ask a codec for, in bytes, so that a segment fits a short datagram, or a few very small ones.

    Raises UsageError if datagrams of `packet_size` bytes are too small for a manifest, or for the `smallest` segments.
    """
    room = packet_size - inner_parity - SHORT_OVERHEAD
    needed = max(SMALLEST_SHORT, -(-smallest // MAX_PARTS) + PART_OVERHEAD + SHORT_OVERHEAD) + inner_parity
    if packet_size < needed:
        raise UsageError(f"packets of {packet_size} bytes are too small: use {needed} or more")
    if room > FEW_BYTES and room - SHORT_RECORD_OVERHEAD >= smallest:
        return room - SHORT_RECORD_OVERHEAD
    return max(FEW_PARTS, -(-smallest // (room - PART_OVERHEAD))) * (room - PART_OVERHEAD)


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """The records of one datagram, in the short form or not."""

    records: tuple[Record, ...]
    short: bool = False

    @property
    def payload(self) -> bytes:
        return write_short_records(self.records) if self.short else write_records(self.records)

    @property
    def payload_size(self) -> int:
        return sum(short_size(record) if self.short else record.size for record in self.records)

    @property
    def segments(self) -> tuple[int, ...]:
        """Ids of the segments that are whole once this packet and those before it are there."""
        return tuple(record.id for record in self.records if record.id != HEADER_ID and _is_last(record))

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the segments that are in this packet, or parts of them."""
        return tuple(record.id for record in self.records if record.id != HEADER_ID)


def _is_last(record: Record) -> bool:
    return not isinstance(record, Part) or record.number == record.of - 1


def _share(record: Record) -> float:
    """Of its segment."""
    return 1 / record.of if isinstance(record, Part) else 1.0


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """Packets that are protected together; `layer` is 0 for the base, 1.. for the tiers of enhance packets."""

    layer: int
    packets: tuple[SourcePacket, ...]


def packetize(
    header: StreamHeader, segments: Sequence[Segment], payload_size: int, placement: Placement | None = None
) -> tuple[SourceBlock, ...]:
    """Packs a stream into blocks; the base needs to come first.

    Args:
        header: goes into every packet of the base, or, if too long for that, into a packet of its own before it.
        segments: in sending order.
        payload_size: most bytes of records in a packet.
        placement: of a stream that holds a part of a frame; goes with the header.

    Raises UsageError if a segment is too long for a packet.
    """
    for segment in segments:
        if RECORD_OVERHEAD + len(segment.payload) > payload_size:
            raise UsageError(
                f"segment {segment.id} of {len(segment.payload)} bytes does not fit a packet: "
                f"encode with payloads of at most {payload_size - RECORD_OVERHEAD} bytes, or use larger packets"
            )
    record = Record(HEADER_ID, header_data(header, placement))
    base = [Record(segment.id, segment.payload) for segment in segments if segment.layer == 0]
    enhance = [Record(segment.id, segment.payload) for segment in segments if segment.layer > 0]
    blocks = [SourceBlock(0, chunk) for chunk in _chunks(_pack_base(record, base, payload_size), _base_sizes())]
    tiers = _chunks(_pack(enhance, (), payload_size), tier_sizes(first_tier(payload_size)))
    return (*blocks, *(SourceBlock(tier, chunk) for tier, chunk in enumerate(tiers, start=1)))


def packetize_short(segments: Sequence[Segment], payload_size: int) -> tuple[SourceBlock, ...]:
    """As `packetize`, for short packets: without the header, which manifests tell, and long segments in parts."""
    for segment in segments:
        if len(segment.payload) > largest_in_parts(payload_size):
            raise UsageError(
                f"segment {segment.id} of {len(segment.payload)} bytes does not fit {MAX_PARTS} packets: "
                f"encode with payloads of at most {largest_in_parts(payload_size)} bytes, or use larger packets"
            )

    def packed(base: bool) -> list[SourcePacket]:
        own = (segment for segment in segments if (segment.layer == 0) == base)
        records = [record for segment in own for record in in_parts(segment.id, segment.payload, payload_size)]
        return _pack(records, (), payload_size, short=True)

    blocks = [SourceBlock(0, chunk) for chunk in _chunks(packed(base=True), _base_sizes())]
    tiers = _chunks(packed(base=False), tier_sizes(first_tier(payload_size)))
    return (*blocks, *(SourceBlock(tier, chunk) for tier, chunk in enumerate(tiers, start=1)))


def first_tier(payload_size: int) -> int:
    """Packets of the first tier, for packets of so many bytes of payload."""
    return min(MAX_BLOCK_SOURCES, max(FIRST_TIER_PACKETS, FIRST_TIER_BYTES // payload_size))


def tier_sizes(first: int) -> Iterator[int]:
    """Packets of one tier after the other, each of up to twice as many as the one before, without end."""
    size = first
    while True:
        yield size
        size = min(2 * size, MAX_BLOCK_SOURCES)


def shapes_of(
    blocks: Sequence[SourceBlock], segments: Iterable[Segment], wire_size: Callable[[int], int]
) -> list[BlockShape]:
    """What a policy of protection knows of the blocks.

    Args:
        blocks: as packed.
        segments: those in the blocks.
        wire_size: bytes on the wire of a packet with so many bytes of payload.
    """
    segment = {s.id: s for s in segments}
    places: dict[int, set[Slot]] = {}
    for b, block in enumerate(blocks):
        for index, packet in enumerate(block.packets):
            for i in packet.ids:
                places.setdefault(i, set()).add(Slot(b, index))

    header = {Slot(0, 0)} if blocks and not blocks[0].packets[0].ids else set()  # in a packet of its own

    def utility(packet: SourcePacket) -> float:
        """A part has its share, or nobody would send the first ones."""
        return sum(segment[r.id].utility * _share(r) for r in packet.records if r.id != HEADER_ID)

    def needs(packet: SourcePacket, own: Slot) -> tuple[Slot, ...]:
        wanted = set(packet.ids) | {p for i in packet.ids for p in segment[i].depends_on}
        needed = header.union(*(places[i] for i in wanted)) - {own}
        return tuple(sorted(slot for slot in needed if slot < own))

    return [
        BlockShape(
            block.layer,
            tuple(wire_size(packet.payload_size) for packet in block.packets),
            tuple(utility(packet) for packet in block.packets),
            tuple(needs(packet, Slot(number, index)) for index, packet in enumerate(block.packets)),
        )
        for number, block in enumerate(blocks)
    ]


def _pack_base(header_record: Record, records: Sequence[Record], payload_size: int) -> list[SourcePacket]:
    if header_record.size + max((record.size for record in records), default=0) <= payload_size:
        return _pack(records, (header_record,), payload_size) or [SourcePacket((header_record,))]
    if header_record.size > payload_size:
        raise UsageError(
            f"the stream header of {header_record.size} bytes does not fit a packet: "
            f"use larger packets, by {header_record.size - payload_size} bytes or more"
        )
    return [SourcePacket((header_record,)), *_pack(records, (), payload_size)]


def _pack(
    records: Iterable[Record], first: tuple[Record, ...], payload_size: int, *, short: bool = False
) -> list[SourcePacket]:
    packets: list[SourcePacket] = []
    current = first
    size = first_size = sum(record.size for record in first)
    for record in records:
        record_size = short_size(record) if short else record.size
        if size + record_size > payload_size:
            packets.append(SourcePacket(current, short))
            current, size = first, first_size
        current, size = (*current, record), size + record_size
    return [*packets, SourcePacket(current, short)] if len(current) > len(first) else packets


def _chunks(packets: Iterable[SourcePacket], sizes: Iterator[int]) -> Iterator[tuple[SourcePacket, ...]]:
    remaining = iter(packets)
    while chunk := tuple(islice(remaining, next(sizes))):
        yield chunk


def _base_sizes() -> Iterator[int]:
    while True:
        yield MAX_BLOCK_SOURCES
