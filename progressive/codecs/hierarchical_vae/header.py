"""What a stream's header tells of this codec: the rate, the size of tiles, where meaning is.

gamma (1 byte), the side of tiles (1: its place in `TILE_SIDES`), and the coarse importance map, or nothing if the rate
is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.errors import BitstreamError
from progressive.segments.tiles import BLOCK, TILE_SIDES, Layout
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import StreamHeader


@dataclass(frozen=True)
class Parameters:
    """The codec's own part of a header. Fields: gamma; blocks of a tile's side; where meaning is, if it counts."""

    gamma: int
    tile_side: int
    meaning: CoarseMap | None

    def to_bytes(self) -> bytes:
        meaning = b"" if self.meaning is None else self.meaning.to_bytes()
        return bytes([self.gamma, TILE_SIDES.index(self.tile_side)]) + meaning

    @classmethod
    def from_bytes(cls, data: bytes) -> Parameters:
        """Raises BitstreamError for bytes that `to_bytes` cannot write."""
        if len(data) < 2 or data[1] >= len(TILE_SIDES):
            raise BitstreamError(f"parameters of {len(data)} bytes are none of hierarchical_vae's")
        meaning = CoarseMap.from_bytes(data[2:]) if data[2:] else None
        return cls(data[0], TILE_SIDES[data[1]], meaning)

    def layout(self, header: StreamHeader) -> Layout:
        """The geometry of the photo."""
        return Layout(header.width, header.height, self.tile_side)

    def gammas(self, layout: Layout) -> Gammas:
        """Those of the padded photo."""
        unit = BLOCK // CELL
        return Gammas.of(self.gamma, layout.rows * unit, layout.columns * unit, self.meaning)
