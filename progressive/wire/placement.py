"""Frames of which only a part is sent: where that part belongs in the picture of an earlier stream."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.errors import BitstreamError
from progressive.stream import MAX_PIXELS, StreamHeader

CANVASES = 4
"""Streams whose pictures a receiver keeps: a frame builds on one of the three before it."""

MID_GREY = 128

_PLACEMENT = struct.Struct("!IHHHH")
PLACEMENT_SIZE = _PLACEMENT.size


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture of a stream belongs; everything around it is shown as an earlier stream left it.

    Layout, network order: stream of the canvas (4 bytes), its width, its height, left, top (2 each).

    Fields:
        canvas: identifier of the earlier stream.
        width, height: of its picture, and so of the whole frame, in pixels.
        left, top: of the part that is sent, in pixels.
    """

    canvas: int
    width: int
    height: int
    left: int
    top: int

    def to_bytes(self) -> bytes:
        return _PLACEMENT.pack(self.canvas, self.width, self.height, self.left, self.top)

    def paste(self, canvas: NDArray[np.uint8] | None, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The whole frame, [H, W, 3]: the part over the canvas, or over mid-grey if there is none of the right size."""
        if canvas is None or canvas.shape[:2] != (self.height, self.width):
            canvas = np.full((self.height, self.width, 3), MID_GREY, np.uint8)
        frame = canvas.copy()
        frame[self.top : self.top + part.shape[0], self.left : self.left + part.shape[1]] = part
        return frame


def header_data(header: StreamHeader, placement: Placement | None) -> bytes:
    """What a header record holds: the stream header, then the placement if the stream has one."""
    return header.to_bytes() + (placement.to_bytes() if placement is not None else b"")


def parse_header_data(data: bytes) -> tuple[StreamHeader, Placement | None]:
    """Parses what a header record holds; raises BitstreamError for anything else, or a part outside its canvas."""
    try:
        return StreamHeader.from_bytes(data), None
    except BitstreamError:
        if len(data) <= PLACEMENT_SIZE:
            raise
        header = StreamHeader.from_bytes(data[:-PLACEMENT_SIZE])
    placement = Placement(*_PLACEMENT.unpack(data[-PLACEMENT_SIZE:]))
    inside = placement.left + header.width <= placement.width and placement.top + header.height <= placement.height
    if not inside or placement.width * placement.height > MAX_PIXELS:
        raise BitstreamError(
            f"stream of {header.width}x{header.height} pixels at {placement.left}, {placement.top} is outside its "
            f"canvas of {placement.width}x{placement.height}"
        )
    return header, placement
