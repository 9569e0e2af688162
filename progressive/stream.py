"""What a codec makes of a photo: a header and segments that may arrive in any order, twice, or never. No torch here."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from progressive.errors import BitstreamError

MAX_PIXELS = 64_000_000
"""Largest photo, in pixels: bounds what a header of a few bytes can make a receiver allocate."""

FOREIGN = 255
"""The codec number of codecs that other packages bring: their model ids name them."""

MAX_SIDE = 0xFFFF
MAX_SEGMENTS = 0xFFFF
MAX_PARAMETERS = 255

_FIXED = struct.Struct("!B8sHHHB")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a stream that fits one packet and refines the picture by itself.

    Fields:
        id: 1..65535, unique within the stream; 0 names the header.
        layer: 0 for the base, 1.. for the enhance layers.
        depends_on: ids of the segments without which this one cannot be decoded.
        payload: the coded bytes.
        utility: distortion the segment is expected to remove, in squared 8-bit steps summed over samples, weighted
            by importance. Known to the sender only.
    """

    id: int
    layer: int
    depends_on: tuple[int, ...]
    payload: bytes
    utility: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """All that is needed to place any segment: about twenty bytes.

    Layout, network order: codec number (1 byte), model id (8), width (2), height (2), number of segments (2), length
    of the codec's own parameters (1), the parameters.
    """

    codec: int
    model_id: bytes
    width: int
    height: int
    segment_count: int
    parameters: bytes = b""

    def to_bytes(self) -> bytes:
        fixed = _FIXED.pack(
            self.codec, self.model_id, self.width, self.height, self.segment_count, len(self.parameters)
        )
        return fixed + self.parameters

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamHeader:
        """Parses exactly one header; raises BitstreamError if it is short, long, or beyond the limits."""
        if len(data) < _FIXED.size:
            raise BitstreamError(f"stream header is {len(data)} bytes, needs at least {_FIXED.size}")
        codec, model_id, width, height, count, length = _FIXED.unpack_from(data)
        parameters = data[_FIXED.size :]
        if len(parameters) != length:
            raise BitstreamError(f"stream header promises {length} bytes of parameters, holds {len(parameters)}")
        if not (width and height) or width * height > MAX_PIXELS:
            raise BitstreamError(f"stream header claims {width}x{height} pixels, the limit is {MAX_PIXELS}")
        return cls(codec, model_id, width, height, count, parameters)


@dataclass(frozen=True, slots=True)
class LayeredStream:
    """A coded photo: the header and its segments in the sender's order, dependencies before dependants."""

    header: StreamHeader
    segments: tuple[Segment, ...]

    @property
    def size(self) -> int:
        """Bytes of the header and all payloads, without any framing."""
        return len(self.header.to_bytes()) + sum(len(s.payload) for s in self.segments)

    def keep(self, segments: Iterable[Segment]) -> LayeredStream:
        """The same photo with only these segments; their number in the header follows."""
        kept = tuple(segments)
        return LayeredStream(replace(self.header, segment_count=len(kept)), kept)
