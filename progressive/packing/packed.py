"""A stream in its order of sending, packed: made once, by whoever prepares it, and used by all that send it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from progressive.packing.order import order_segments
from progressive.packing.packetizer import SourceBlock, packetize
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
    """

    stream: LayeredStream
    blocks: tuple[SourceBlock, ...]
    payload_size: int
    placement: Placement | None = None

    @classmethod
    def of(cls, stream: LayeredStream, payload_size: int, placement: Placement | None = None) -> PackedStream:
        """Orders and packs a stream; raises UsageError if its dependencies are wrong, or a segment fits no packet."""
        ordered = LayeredStream(stream.header, order_segments(stream.segments))
        return cls._packed(ordered, payload_size, placement)

    def keep(self, segment_ids: Collection[int]) -> PackedStream:
        """Only these segments, packed again: the header announces another number."""
        kept = self.stream.keep(segment for segment in self.stream.segments if segment.id in segment_ids)
        return self._packed(kept, self.payload_size, self.placement)

    @classmethod
    def _packed(cls, ordered: LayeredStream, payload_size: int, placement: Placement | None) -> PackedStream:
        blocks = packetize(ordered.header, ordered.segments, payload_size, placement)
        return cls(ordered, blocks, payload_size, placement)
