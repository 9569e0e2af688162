"""The payload of each segment: a prefix that says what it holds, then a range code.

All numbers in network order.

| segment | bytes |
|---|---|
| stage s of a tile's base | tile (2), s (1), code |
| level l of some blocks | tile (2), 4 + l (1), set of blocks (8; a bit each, row by row, first in the highest), code |
| fragment of either | as above, 128 added to the third byte; before the code: the fragment's number (2), how many (2) |

The stages of a tile come one after the other; a level needs the whole base of its tile, and the level before of each of
its blocks. What does not fit one payload is cut into fragments, all of which are needed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from progressive.codecs.rmpgc.layout import LEVELS, STAGES, Layout, Window, plane_and_tier
from progressive.errors import BitstreamError

FRAGMENT_FLAG = 128
BLOCK_SET_BYTES = 8

_PREFIX = struct.Struct("!HB")
_FRAGMENT = struct.Struct("!HH")

LARGEST_PREFIX = _PREFIX.size + BLOCK_SET_BYTES + _FRAGMENT.size


@dataclass(frozen=True, slots=True)
class Contents:
    """What a payload says it holds: the parsed form of its first bytes.

    Fields:
        tile: number of the tile.
        step: stage of the base, or len(STAGES) - 1 + level.
        blocks: numbers of the blocks within the tile, rising; none for the base.
        code: the range code, or a fragment of it.
        fragment, fragments: number of the fragment, and how many there are; (0, 1) for a whole one.
    """

    tile: int
    step: int
    blocks: tuple[int, ...] = ()
    code: bytes = b""
    fragment: int = 0
    fragments: int = 1

    @property
    def level(self) -> int:
        """0 for the base."""
        return max(0, self.step - len(STAGES) + 1)

    @property
    def layer(self) -> int:
        """0 for the base, then the number of the enhance plane."""
        return plane_and_tier(self.level)[0] if self.level else 0

    @property
    def whole(self) -> Contents:
        """What this is a fragment of, without its code."""
        return replace(self, code=b"", fragment=0, fragments=1)

    def to_bytes(self) -> bytes:
        flag = FRAGMENT_FLAG if self.fragments > 1 else 0
        prefix = _PREFIX.pack(self.tile, self.step | flag)
        if self.level:
            members = np.zeros(8 * BLOCK_SET_BYTES, bool)
            members[list(self.blocks)] = True
            prefix += np.packbits(members).tobytes()
        if flag:
            prefix += _FRAGMENT.pack(self.fragment, self.fragments)
        return prefix + self.code

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Contents:
        """Raises BitstreamError where the bytes name something that the layout does not have."""
        if len(data) < _PREFIX.size:
            raise BitstreamError("a segment is shorter than its prefix")
        tile, flagged = _PREFIX.unpack_from(data)
        step, rest = flagged & ~FRAGMENT_FLAG, data[_PREFIX.size :]
        if tile >= layout.tiles or step >= len(STAGES) + LEVELS:
            raise BitstreamError(f"a segment claims tile {tile}, step {step}, which this stream does not have")
        blocks: tuple[int, ...] = ()
        if step >= len(STAGES):
            blocks, rest = _blocks(rest, layout.window(tile))
        fragment, fragments = 0, 1
        if flagged & FRAGMENT_FLAG:
            if len(rest) < _FRAGMENT.size:
                raise BitstreamError("a segment is shorter than its prefix")
            fragment, fragments = _FRAGMENT.unpack_from(rest)
            rest = rest[_FRAGMENT.size :]
            if fragments < 2 or fragment >= fragments:
                raise BitstreamError(f"a segment claims to be fragment {fragment} of {fragments}")
        return cls(tile, step, blocks, rest, fragment, fragments)

    def fitted(self, max_payload: int) -> list[Contents]:
        """Itself if it fits the payload, otherwise its fragments, as equal as can be."""
        if len(self.to_bytes()) <= max_payload:
            return [self]
        room = max_payload - (len(self.whole.to_bytes()) + _FRAGMENT.size)
        count = -(-len(self.code) // room)
        size = -(-len(self.code) // count)
        return [
            replace(self, code=self.code[i * size : (i + 1) * size], fragment=i, fragments=count) for i in range(count)
        ]


def _blocks(data: bytes, window: Window) -> tuple[tuple[int, ...], bytes]:
    members = np.unpackbits(np.frombuffer(data[:BLOCK_SET_BYTES], np.uint8))
    if len(data) < BLOCK_SET_BYTES or members[window.blocks :].any() or not members.any():
        raise BitstreamError("an enhance segment claims blocks that its tile does not have")
    return tuple(int(b) for b in np.flatnonzero(members)), data[BLOCK_SET_BYTES:]
