"""Packets of one stream, in any order, some twice, some never -> its header and segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from progressive.errors import BitstreamError, WireError
from progressive.stream import StreamHeader
from progressive.wire.fec import BlockDecoder
from progressive.wire.packet import Kind, Packet
from progressive.wire.placement import Placement, parse_header_data
from progressive.wire.records import HEADER_ID, Record, parse_records
from progressive.wire.short_records import Part, parse_short_records
from progressive.wire.stripes import parse_stripes
from receiver.parts import Parts
from receiver.settings import ReceiverSettings


@dataclass(frozen=True, slots=True)
class Arrival:
    """A segment that was not there before; `recovered` if erasure decoding restored it."""

    segment_id: int
    payload: bytes
    recovered: bool


class Reassembler:
    """Collects one stream.

        source packet ──> records ──> header, segments
              └─> block <── parity packet    (k of them restore the missing sources)

    Segments are handed out once each, and only when the header is known.

    Fields:
        header, placement: of the stream; None until they came.
        recovered: source packets restored from parity.
        restored: those of them that the latest packet restored, by block and index.
    """

    def __init__(self, settings: ReceiverSettings) -> None:
        self.header: StreamHeader | None = None
        self.placement: Placement | None = None
        self.recovered = 0
        self.restored: list[tuple[int, int]] = []
        self._settings = settings
        self._blocks: dict[int, BlockDecoder] = {}
        self._block_bytes = 0
        self._pending: list[Arrival] = []
        self._pending_bytes = 0
        self._known: set[int] = set()
        self._parts = Parts()
        self._whole_blocks = 0
        self._base_blocks = 1

    @property
    def whole_blocks(self) -> int:
        """Blocks that are whole, counted from block 0 up to the first that is not."""
        while (block := self._blocks.get(self._whole_blocks)) is not None and block.complete:
            self._whole_blocks += 1
        return self._whole_blocks

    @property
    def base_complete(self) -> bool:
        """Block 0, and all others up to the last one in which the stream header came, are whole."""
        return self.whole_blocks >= self._base_blocks

    @property
    def segment_count(self) -> int:
        """Distinct segments received or restored."""
        return len(self._known)

    @property
    def complete(self) -> bool:
        """Every segment that the header announces is there."""
        return self.header is not None and self.segment_count == self.header.segment_count

    @property
    def held_bytes(self) -> int:
        """Payload bytes kept in memory: for erasure decoding, and waiting for the header."""
        return self._block_bytes + self._pending_bytes + self._parts.held_bytes

    def tell(self, header: StreamHeader, placement: Placement | None, base_blocks: int) -> list[Arrival]:
        """Takes what a manifest has told; the segments that can be handed out now."""
        if self.header is None:
            self.header, self.placement = header, placement
        self._base_blocks = max(self._base_blocks, base_blocks)
        return self._hand_out()

    def add(self, packet: Packet) -> list[Arrival]:
        """Takes a data packet; the segments that can be handed out now, with `header` known.

        Raises WireError if the packet is nonsense or contradicts what came before; it changes nothing then.
        """
        self.restored = []
        if packet.kind is Kind.STRIPES:
            return self._add_stripes(packet)
        block = self._block(packet)
        if block.complete:
            return []
        records = _checked_records(packet.payload, packet.short) if packet.index < packet.k else []
        restored = self._restore(block, packet)
        self._blocks[packet.block] = block
        if any(record.id == HEADER_ID for record in records):
            self._base_blocks = max(self._base_blocks, packet.block + 1)
        self._take(records, recovered=False)
        for index, source in restored.items():
            try:
                self._take(_checked_records(source, packet.short), recovered=True)
                self.recovered += 1
                self.restored.append((packet.block, index))
            except WireError:
                continue  # a peer built its parity from nonsense; the other sources may be good
        return self._hand_out()

    def _add_stripes(self, packet: Packet) -> list[Arrival]:
        """Takes a stripe of every class, up to one that is nonsense; any k stripes give a class."""
        for stripe in parse_stripes(packet.payload):
            parity = replace(packet, block=stripe.block, index=stripe.k + packet.index, k=stripe.k, payload=stripe.data)
            block = self._block(parity)
            if block.complete:
                continue
            sources = self._restore(block, parity)
            self._blocks[stripe.block] = block
            records = _checked_records(b"".join(sources[index] for index in sorted(sources)), short=False)
            if any(record.id == HEADER_ID for record in records):
                self._base_blocks = max(self._base_blocks, stripe.block + 1)
            self._take(records, recovered=True)
        return self._hand_out()

    def _block(self, packet: Packet) -> BlockDecoder:
        block = self._blocks.get(packet.block)
        if block is None:
            if len(self._blocks) >= self._settings.max_blocks:
                raise WireError(f"stream of more than {self._settings.max_blocks} blocks")
            return BlockDecoder(packet.k)
        if block.k != packet.k:
            raise WireError(f"block {packet.block} had {block.k} source packets, now {packet.k}")
        return block

    def _restore(self, block: BlockDecoder, packet: Packet) -> dict[int, bytes]:
        """Adds the packet to its block unless memory is short: then it is used without being kept."""
        if self.held_bytes + len(packet.payload) > self._settings.max_held_bytes:
            return {}
        before = block.held_bytes
        restored = block.add(packet.index, packet.payload)
        self._block_bytes += block.held_bytes - before
        return restored

    def _take(self, records: Sequence[Record], *, recovered: bool) -> None:
        for record in records:
            if record.id == HEADER_ID:
                if self.header is None:
                    self.header, self.placement = parse_header_data(record.data)
            elif record.id not in self._known and self._has_room(record):
                data = self._parts.join(record) if isinstance(record, Part) else record.data
                if data is not None:
                    self._known.add(record.id)
                    self._pending.append(Arrival(record.id, data, recovered))
                    self._pending_bytes += len(data)

    def _has_room(self, record: Record) -> bool:
        if self.header is not None:
            room = self.held_bytes + len(record.data) <= self._settings.max_held_bytes
            return self.segment_count < self.header.segment_count and (room or not isinstance(record, Part))
        return self.held_bytes + len(record.data) <= self._settings.max_held_bytes

    def _hand_out(self) -> list[Arrival]:
        if self.header is None:
            return []
        excess = self.segment_count - self.header.segment_count
        if excess > 0:  # segments that came before the header, more than it announces
            self._known -= {arrival.segment_id for arrival in self._pending[-excess:]}
            del self._pending[-excess:]
        arrivals, self._pending, self._pending_bytes = self._pending, [], 0
        return arrivals


def _checked_records(payload: bytes, short: bool) -> Sequence[Record]:
    if short:
        return parse_short_records(payload)
    records = parse_records(payload)
    for record in records:
        if record.id == HEADER_ID:
            try:
                parse_header_data(record.data)
            except BitstreamError as error:
                raise WireError(str(error)) from error
    return records
