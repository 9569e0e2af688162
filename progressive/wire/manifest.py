"""What is told once of a stream, and again now and then: items of (tag, length, bytes), unknown ones passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from progressive.errors import WireError
from progressive.wire.about import About
from progressive.wire.expected_quality import Curve
from progressive.wire.packet import MAX_SOURCES

QUALITY, HEADER, BLOCKS, ABOUT = 1, 2, 3, 4
ITEM_OVERHEAD = 2
MAX_BLOCKS = 255
MAX_PIECES = 16
MAX_ITEM = 255
SMALLEST_PAYLOAD = 29
"""Of a packet that holds all that tells of 255 blocks, or a sixteenth of the longest header."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of what a header record holds. Fields: number: from 0; of: how many there are, 1..MAX_PIECES; data."""

    number: int
    of: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one packet tells.

    Fields:
        quality: how good pictures of the stream's segments are expected to be; None if that is not told.
        header: a piece of the stream's header and placement, as records have them otherwise.
        sources: source packets of each block, where packets do not say it; empty if that is not told.
        base_blocks: how many of the blocks are of the base.
        about: what the photo is called, when and where it was taken; None if that is not told.
    """

    quality: Curve | None = None
    header: Piece | None = None
    sources: tuple[int, ...] = ()
    base_blocks: int = 0
    about: About | None = None

    def to_bytes(self) -> bytes:
        items = b"" if self.quality is None else _item(QUALITY, self.quality.to_bytes())
        if self.header is not None:
            place = bytes([self.header.number << 4 | self.header.of - 1])
            items += _item(HEADER, place + self.header.data)
        if self.sources:
            runs = b"".join(bytes([len(list(same)), k]) for k, same in groupby(self.sources))
            items += _item(BLOCKS, bytes([self.base_blocks]) + runs)
        if self.about is not None:
            items += _item(ABOUT, self.about.to_bytes())
        return items


def parse_manifest(payload: bytes) -> Manifest:
    """Raises WireError if an item is cut short, comes twice, or says what cannot be."""
    items: dict[int, bytes] = {}
    position = 0
    while position < len(payload):
        end = position + ITEM_OVERHEAD + (payload[position + 1] if position + 1 < len(payload) else len(payload))
        if end > len(payload) or payload[position] in items:
            raise WireError("an item of the manifest is cut short, or comes twice")
        items[payload[position]] = payload[position + ITEM_OVERHEAD : end]
        position = end
    sources, base_blocks = _blocks(items[BLOCKS]) if BLOCKS in items else ((), 0)
    return Manifest(
        Curve.from_bytes(items[QUALITY]) if QUALITY in items else None,
        _piece(items[HEADER]) if HEADER in items else None,
        sources,
        base_blocks,
        About.from_bytes(items[ABOUT]) if ABOUT in items else None,
    )


def header_manifests(header: bytes, sources: Sequence[int], base_blocks: int, payload_size: int) -> list[Manifest]:
    """What has to be known before short packets can be read, in manifests of at most so many bytes each.

    Args:
        header: the stream header, and the placement if there is one.
        sources: source packets of each block, MAX_BLOCKS at most.
        base_blocks: how many of them are of the base.
        payload_size: SMALLEST_PAYLOAD or more.
    """
    blocks = Manifest(sources=tuple(sources), base_blocks=base_blocks)
    room = min(payload_size - ITEM_OVERHEAD, MAX_ITEM) - 1
    beside = max(0, min(payload_size - len(blocks.to_bytes()) - ITEM_OVERHEAD - 1, room))
    pieces = [header[:beside]] * (beside > 0) + [header[i : i + room] for i in range(beside, len(header), room)]
    told = [Manifest(header=Piece(number, len(pieces), data)) for number, data in enumerate(pieces)]
    return [replace(blocks, header=told[0].header), *told[1:]] if beside else [blocks, *told]


def _item(tag: int, data: bytes) -> bytes:
    return bytes([tag, len(data)]) + data


def _piece(data: bytes) -> Piece:
    if len(data) < 2 or data[0] >> 4 > data[0] & 15:
        raise WireError("impossible piece of a header")
    return Piece(data[0] >> 4, (data[0] & 15) + 1, data[1:])


def _blocks(data: bytes) -> tuple[tuple[int, ...], int]:
    runs = [(data[i], data[i + 1]) for i in range(1, len(data) - 1, 2)]
    found = tuple(k for count, k in runs for _ in range(count))
    possible = len(data) % 2 and 1 <= len(found) <= MAX_BLOCKS and all(1 <= k <= MAX_SOURCES for k in found)
    if not possible or data[0] > len(found):
        raise WireError("impossible blocks in a manifest")
    return found, data[0]
