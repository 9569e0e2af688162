"""The payload of each segment: a prefix of a few bytes that says what it holds, then a range code.

| segment | bytes |
|---|---|
| the first latent of a tile | tile, 0, range code |
| latent z of some blocks of it | tile, z, first block (1), how many (1), range code |

The tile takes no byte where the photo has one, one byte for up to 256, otherwise two, in network order. Blocks are
counted in the order in which the first latent lists them (`TileState.order`). A segment needs the first latent of its
tile, and all coarser ones of each of its blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.codecs.hierarchical_vae.latents import LATENTS, ROOT
from progressive.errors import BitstreamError
from progressive.segments.tiles import Layout


@dataclass(frozen=True)
class Contents:
    """What a payload says it holds: the parsed form of its first bytes.

    Fields:
        tile, latent: their numbers.
        first, count: which blocks, of the tile's list; (0, 0) for the first latent.
        code: the range code.
    """

    tile: int
    latent: int
    code: bytes
    first: int = 0
    count: int = 0

    def to_bytes(self, layout: Layout) -> bytes:
        prefix = self.tile.to_bytes(tile_bytes(layout), "big") + bytes([self.latent])
        run = b"" if self.latent == ROOT else bytes([self.first, self.count])
        return prefix + run + self.code

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Contents:
        """Raises BitstreamError where the bytes name something that the stream cannot have."""
        size = tile_bytes(layout)
        if len(data) < size + 1:
            raise BitstreamError("a segment is shorter than its prefix")
        tile, latent, rest = int.from_bytes(data[:size], "big"), data[size], data[size + 1 :]
        if tile >= layout.tiles or latent >= len(LATENTS):
            raise BitstreamError(f"a segment claims tile {tile}, latent {latent}, which this stream does not have")
        if latent == ROOT:
            return cls(tile, latent, rest)
        if len(rest) < 2:
            raise BitstreamError("a segment is shorter than its prefix")
        first, count = rest[:2]
        if not count or first + count > layout.window(tile).blocks:
            raise BitstreamError(
                f"a segment claims blocks {first} to {first + count - 1}, which its tile does not have"
            )
        return cls(tile, latent, rest[2:], first, count)


def tile_bytes(layout: Layout) -> int:
    """Bytes that name a tile."""
    return 0 if layout.tiles == 1 else 1 if layout.tiles <= 256 else 2


def prefix_bytes(layout: Layout, latent: int) -> int:
    """Bytes before the range code of a segment of this latent."""
    return tile_bytes(layout) + (1 if latent == ROOT else 3)
