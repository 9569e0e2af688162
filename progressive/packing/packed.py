"""A stream in its order of sending, packed: made once, by whoever prepares it, and used by all that send it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from progressive.packing.order import order_segments
from progressive.packing.packetizer import SourceBlock, packetize, packetize_short
from progressive.stream import LayeredStream
from progressive.wire.placement import Placement


@dataclass(frozen=True, slots=True)
class PackedStream:
    """A coded photo, or a part of a frame, as it is sent.

    Fields:
        stream: its segments in the order of sending.
        blocks: its source packets.
        payload_size: most bytes of a packet's payload.
        placement: where the picture belongs, if it is a part of a frame.
        short: it is sent in short packets.
    """

    stream: LayeredStream
    blocks: tuple[SourceBlock, ...]
    payload_size: int
    placement: Placement | None = None
    short: bool = False

    @classmethod
    def of(
        cls, stream: LayeredStream, payload_size: int, placement: Placement | None = None, *, short: bool = False
    ) -> PackedStream:
        """Orders and packs a stream; raises UsageError if its dependencies are wrong, or a segment fits no packet."""
        ordered = LayeredStream(stream.header, order_segments(stream.segments))
        return cls._packed(ordered, payload_size, placement, short)

    def keep(self, segment_ids: Collection[int]) -> PackedStream:
        """Only these segments, packed again: the header announces another number."""
        kept = self.stream.keep(segment for segment in self.stream.segments if segment.id in segment_ids)
        return self._packed(kept, self.payload_size, self.placement, self.short)

    def first(self, sources: Sequence[int]) -> PackedStream:
        """Only the first packets of each block, so many as are named, and the segments that are whole in them.

        Of a stream in short packets, whose header is told apart and may change without packing anew.
        """
        blocks = tuple(
            replace(block, packets=block.packets[:count])
            for block, count in zip(self.blocks, sources, strict=False)
            if count
        )
        whole = {segment for block in blocks for packet in block.packets for segment in packet.segments}
        return replace(self, stream=self.stream.keep(s for s in self.stream.segments if s.id in whole), blocks=blocks)

    @classmethod
    def _packed(
        cls, ordered: LayeredStream, payload_size: int, placement: Placement | None, short: bool
    ) -> PackedStream:
        if short:
            blocks = packetize_short(ordered.segments, payload_size)
        else:
            blocks = packetize(ordered.header, ordered.segments, payload_size, placement)
        return cls(ordered, blocks, payload_size, placement, short)
