"""What a stream's header tells of this codec: the level of the quantiser, the size of tiles, whether there are labels.

level (1 byte); the side of tiles, its place in `TILE_SIDES`, plus 128 if all label maps are blank (1).
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.codecs.label_guided.layout import Layout
from progressive.codecs.label_guided.steps import FINEST
from progressive.errors import BitstreamError
from progressive.segments.tiles import TILE_SIDES
from progressive.stream import StreamHeader

BLANK_FLAG = 0x80


@dataclass(frozen=True, slots=True)
class Parameters:
    """The codec's own part of a header. Fields: level; blocks of a tile's side; whether there are no label maps."""

    level: int
    tile_side: int
    blank: bool = False

    def to_bytes(self) -> bytes:
        return bytes([self.level, TILE_SIDES.index(self.tile_side) | BLANK_FLAG * self.blank])

    @classmethod
    def from_bytes(cls, data: bytes) -> Parameters:
        """Raises BitstreamError for bytes that `to_bytes` cannot write."""
        if len(data) != 2 or data[0] > FINEST or data[1] & ~BLANK_FLAG >= len(TILE_SIDES):
            raise BitstreamError(f"parameters of {len(data)} bytes are none of label_guided's")
        return cls(data[0], TILE_SIDES[data[1] & ~BLANK_FLAG], bool(data[1] & BLANK_FLAG))

    def layout(self, header: StreamHeader) -> Layout:
        """The geometry of the photo."""
        return Layout(header.width, header.height, self.tile_side)
