"""The payload of each segment: a prefix of a few bytes that says what it holds, then a range code.

| segment | bytes |
|---|---|
| label map, hyperprior and first group of a tile, in this order | tile, 0, range code |
| groups g to g + n of some blocks of it | tile, g + 16 n, first block (1), how many (1), range code |

The tile takes no byte where the photo has one, one byte for up to 256, otherwise two, in network order. Blocks are
counted in the order in which the first group lists them (`TileState.order`). A segment needs the first one of its tile,
and all groups before its own of each of its blocks. Groups that take next to nothing travel with those before.
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.layout import Layout
from progressive.errors import BitstreamError


@dataclass(frozen=True)
class Contents:
    """What a payload says it holds: the parsed form of its first bytes.

    Fields:
        tile, group: their numbers; of several groups the first.
        code: the range code.
        first, count: which blocks, of the tile's list; (0, 0) for the first group.
        more: groups that follow in the same segment.
    """

    tile: int
    group: int
    code: bytes
    first: int = 0
    count: int = 0
    more: int = 0

    @property
    def groups(self) -> range:
        """All that it holds."""
        return range(self.group, self.group + self.more + 1)

    def to_bytes(self, layout: Layout) -> bytes:
        prefix = self.tile.to_bytes(tile_bytes(layout), "big") + bytes([self.group | self.more << 4])
        run = b"" if self.group == ROOT else bytes([self.first, self.count])
        return prefix + run + self.code

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Contents:
        """Raises BitstreamError where the bytes name something that the stream cannot have."""
        size = tile_bytes(layout)
        if len(data) < size + 1:
            raise BitstreamError("a segment is shorter than its prefix")
        tile, rest = int.from_bytes(data[:size], "big"), data[size + 1 :]
        group, more = data[size] & 15, data[size] >> 4
        if tile >= layout.tiles or group + more >= len(GROUPS) or (group == ROOT and more):
            raise BitstreamError(f"a segment claims tile {tile}, group {group}, which this stream does not have")
        if group == ROOT:
            return cls(tile, group, rest)
        if len(rest) < 2:
            raise BitstreamError("a segment is shorter than its prefix")
        first, count = rest[:2]
        if not count or first + count > layout.window(tile).blocks:
            raise BitstreamError(
                f"a segment claims blocks {first} to {first + count - 1}, which its tile does not have"
            )
        return cls(tile, group, rest[2:], first, count, more)


def tile_bytes(layout: Layout) -> int:
    """Bytes that name a tile."""
    return 0 if layout.tiles == 1 else 1 if layout.tiles <= 256 else 2


def prefix_bytes(layout: Layout, group: int) -> int:
    """Bytes before the range code of a segment of this group."""
    return tile_bytes(layout) + (1 if group == ROOT else 3)
