"""What is told once of a stream, and again now and then: items of (tag, length, bytes), unknown ones passed over."""

from __future__ import annotations

from dataclasses import dataclass

from progressive.errors import WireError
from progressive.wire.expected_quality import Curve

QUALITY = 1
ITEM_OVERHEAD = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """Fields: quality: how good pictures of the stream's segments are expected to be; None if that is not told."""

    quality: Curve | None = None

    def to_bytes(self) -> bytes:
        return b"" if self.quality is None else _item(QUALITY, self.quality.to_bytes())


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
    return Manifest(Curve.from_bytes(items[QUALITY]) if QUALITY in items else None)


def _item(tag: int, data: bytes) -> bytes:
    return bytes([tag, len(data)]) + data
