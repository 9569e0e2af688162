"""The payload of each segment: a prefix of a few bytes that says what it holds, then a range code.

The first byte has, from its highest bit: a form (2 bits), whether this is a fragment (1), and five bits of the form's.

| form | holds | five bits | then |
|---|---|---|---|
| 3 | stages of a tile's base, one after the other | their run, `Depth.runs` | the tile: no byte where the photo has \
one, one for up to 256, otherwise two |
| 0 | the next level of all blocks of another segment | the reference | |
| 1 | of those in a run of that segment's list | the reference | first (1), how many (1) |
| 2 | of some of them | the reference | a bit each, first in the highest, in whole bytes |

The **reference** says how many ids before this one that other segment has its own, less one: four bits, and as long as
the bit before is set seven more in another byte, lowest first. A segment's list of blocks is that of its numbers in the
tile, row by row; the base's lists all blocks of its tile, the most active first (`TileState.activity`).

What does not fit one payload is cut into fragments, all of which are needed. After the first byte and its reference or
tile come the fragment's number (2) and how many there are (2), in network order. A fragment of an enhance segment but
the first refers to the one before.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from progressive.codecs.rmpgc.layout import Layout
from progressive.errors import BitstreamError

ALL, RUN, SET, BASE = range(4)

FRAGMENT_FLAG = 32
LARGEST_REFERENCE = 2
"""Bytes of a reference beyond the first, at most."""

_FRAGMENT = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a decoded segment is to those that refer to it. Fields: tile, the level it brought, and its blocks."""

    tile: int
    level: int
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a payload says it holds: the parsed form of its first bytes.

    Fields:
        form: see above.
        body: the range code, before it what names the blocks; or a fragment of both.
        tile, run: number of the tile and of the run of stages; of the base only.
        reference: id of the segment that it refers to; 0 for the base.
        fragment, fragments: number of the fragment, and how many there are; (0, 1) for a whole one.
    """

    form: int
    body: bytes
    tile: int = 0
    run: int = 0
    reference: int = 0
    fragment: int = 0
    fragments: int = 1

    @property
    def whole(self) -> Contents:
        """What this is a fragment of, without its body; of the base only."""
        return replace(self, body=b"", fragment=0, fragments=1)

    def to_bytes(self, segment_id: int, layout: Layout) -> bytes:
        flag = FRAGMENT_FLAG if self.fragments > 1 else 0
        if self.form == BASE:
            prefix = bytes([BASE << 6 | flag | self.run]) + self.tile.to_bytes(tile_bytes(layout), "big")
        else:
            prefix = _with_reference(self.form << 6 | flag, segment_id - self.reference - 1)
        if flag:
            prefix += _FRAGMENT.pack(self.fragment, self.fragments)
        return prefix + self.body

    @classmethod
    def from_bytes(cls, data: bytes, segment_id: int, layout: Layout) -> Contents:
        """Raises BitstreamError where the bytes name something that the stream cannot have."""
        if not data:
            raise BitstreamError("a segment is shorter than its prefix")
        form, bits, rest = data[0] >> 6, data[0] & 31, data[1:]
        tile = run = reference = 0
        if form == BASE:
            run, size = bits, tile_bytes(layout)
            if len(rest) < size:
                raise BitstreamError("a segment is shorter than its prefix")
            tile, rest = int.from_bytes(rest[:size], "big"), rest[size:]
            if run >= len(layout.depth.runs) or tile >= layout.tiles:
                raise BitstreamError(f"a segment claims tile {tile}, run {run}, which this stream does not have")
        else:
            distance, rest = _reference(bits, rest)
            reference = segment_id - 1 - distance
            if reference < 1:
                raise BitstreamError("a segment refers to none that could be before it")
        fragment, fragments = 0, 1
        if data[0] & FRAGMENT_FLAG:
            if len(rest) < _FRAGMENT.size:
                raise BitstreamError("a segment is shorter than its prefix")
            fragment, fragments = _FRAGMENT.unpack_from(rest)
            rest = rest[_FRAGMENT.size :]
            if fragments < 2 or fragment >= fragments:
                raise BitstreamError(f"a segment claims to be fragment {fragment} of {fragments}")
        return cls(form, rest, tile, run, reference, fragment, fragments)

    def fitted(self, max_payload: int, layout: Layout) -> list[Contents]:
        """Itself if it fits the payload, otherwise its fragments, as equal as can be."""
        prefix = 1 + (tile_bytes(layout) if self.form == BASE else LARGEST_REFERENCE)
        if prefix + len(self.body) <= max_payload:
            return [self]
        room = max_payload - prefix - _FRAGMENT.size
        count = -(-len(self.body) // room)
        size = -(-len(self.body) // count)
        return [
            replace(self, body=self.body[i * size : (i + 1) * size], fragment=i, fragments=count) for i in range(count)
        ]


def tile_bytes(layout: Layout) -> int:
    """Bytes that name a tile."""
    return 0 if layout.tiles == 1 else 1 if layout.tiles <= 256 else 2


def largest_prefix(blocks: int) -> int:
    """Bytes before the range code of a segment that refers to one of so many blocks, at most."""
    return 1 + LARGEST_REFERENCE + max(2, -(-blocks // 8))


def next_level(of: Listed, levels: int) -> int:
    """The level that a segment brings which refers to this one; raises BitstreamError beyond the last of `levels`."""
    if of.level >= levels:
        raise BitstreamError("a segment claims a level beyond the last")
    return of.level + 1


def naming(chosen: Sequence[int], among: Sequence[int]) -> tuple[int, bytes]:
    """The form and the bytes that name some blocks among those of another segment's list, as short as can be."""
    places = sorted(among.index(block) for block in chosen)
    if len(places) == len(among):
        return ALL, b""
    members = np.zeros(len(among), bool)
    members[places] = True
    mask = np.packbits(members).tobytes()
    if places[-1] - places[0] + 1 == len(places) and len(mask) > 2:
        return RUN, bytes([places[0], len(places)])
    return SET, mask


def named(form: int, body: bytes, among: Sequence[int]) -> tuple[tuple[int, ...], bytes]:
    """The inverse of `naming`: rising numbers of blocks, and the rest; raises BitstreamError where none are named."""
    if form == ALL:
        return tuple(sorted(among)), body
    size = 2 if form == RUN else -(-len(among) // 8)
    if len(body) < size:
        raise BitstreamError("a segment is shorter than its prefix")
    if form == RUN:
        places = list(range(body[0], body[0] + body[1]))
    else:
        places = np.flatnonzero(np.unpackbits(np.frombuffer(body[:size], np.uint8))).tolist()
    if not places or places[-1] >= len(among):
        raise BitstreamError("a segment claims blocks that are not of the one it refers to")
    return tuple(sorted(among[place] for place in places)), body[size:]


def _with_reference(first: int, distance: int) -> bytes:
    prefix = [first | distance & 15]
    distance >>= 4
    if distance:
        prefix[0] |= 16
    while distance:
        prefix.append(distance & 127 | (128 if distance > 127 else 0))
        distance >>= 7
    return bytes(prefix)


def _reference(bits: int, rest: bytes) -> tuple[int, bytes]:
    """Distance and what follows."""
    distance, shift, more = bits & 15, 4, bits & 16
    for read in range(LARGEST_REFERENCE):
        if not more:
            return distance, rest[read:]
        if read >= len(rest):
            raise BitstreamError("a segment is shorter than its prefix")
        distance |= (rest[read] & 127) << shift
        shift, more = shift + 7, rest[read] & 128
    if more:
        raise BitstreamError("a segment refers to none that could be before it")
    return distance, rest[LARGEST_REFERENCE:]
