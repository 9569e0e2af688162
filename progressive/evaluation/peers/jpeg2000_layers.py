"""A JPEG 2000 codestream cut between its quality layers: ISO/IEC 15444-1, annex A.

Cutting at a packet's end, and saying so in the headers, gives a codestream that every decoder takes. Where packets end
stands in the PLT markers, which are then left out, as comments are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

_SOC, _SIZ, _COD, _COM, _SOT, _PLT, _SOD, _EOC = (
    *(b"\xff\x4f", b"\xff\x51", b"\xff\x52", b"\xff\x64"),
    *(b"\xff\x90", b"\xff\x58", b"\xff\x93", b"\xff\xd9"),
)
_LAYERS_IN_COD = slice(6, 8)
_DECOMPOSITIONS_IN_COD = 9
_COMPONENTS_IN_SIZ = slice(38, 40)
_LENGTH_IN_SOT = slice(6, 10)

Marker = tuple[bytes, bytes]
"""A marker's code, and the whole of its segment."""


@dataclass(frozen=True, slots=True)
class LayeredCodestream:
    """A codestream of one tile-part and one precinct a resolution, in the order of layers.

    Fields:
        markers: of the main header and the tile-part, without PLT and COM.
        packets: the coded data.
        layer_ends: where in it each layer ends.
    """

    markers: tuple[Marker, ...]
    packets: bytes
    layer_ends: tuple[int, ...]

    def cut(self, layers: int) -> bytes:
        """The codestream of the first layers, one or more."""
        data = self.packets[: self.layer_ends[layers - 1]]
        return b"".join((_SOC, *self._rewritten(layers, len(data)), _SOD, data, _EOC))

    def _rewritten(self, layers: int, length: int) -> Iterator[bytes]:
        for code, segment in self.markers:
            rewritten = bytearray(segment)
            if code == _COD:
                rewritten[_LAYERS_IN_COD] = struct.pack(">H", layers)
            elif code == _SOT:
                rewritten[_LENGTH_IN_SOT] = struct.pack(">I", len(segment) + len(_SOD) + length)
            yield bytes(rewritten)


def parse_codestream(data: bytes) -> LayeredCodestream:
    """The parts of a raw codestream written with PLT markers, one tile and the order LRCP.

    Raises ValueError if the packets' lengths do not add up to whole layers.
    """
    markers, position = [], len(_SOC)
    while (code := data[position : position + 2]) != _SOD:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if not code or end > len(data):
            raise ValueError("the codestream ends before its data")
        markers.append((code, data[position:end]))
        position = end
    packets = data[position + len(_SOD) : -len(_EOC)]
    first = dict(reversed(markers))
    resolutions = first[_COD][_DECOMPOSITIONS_IN_COD] + 1
    components = int.from_bytes(first[_SIZ][_COMPONENTS_IN_SIZ], "big")
    layers = int.from_bytes(first[_COD][_LAYERS_IN_COD], "big")
    ends = list(accumulate(n for code, segment in markers if code == _PLT for n in _packet_lengths(segment)))
    a_layer = resolutions * components
    if len(ends) != layers * a_layer or ends[-1] != len(packets):
        raise ValueError(f"{len(ends)} packets are not {layers} layers of {a_layer}")
    kept = tuple(m for m in markers if m[0] not in (_PLT, _COM))
    return LayeredCodestream(kept, packets, tuple(ends[a_layer - 1 :: a_layer]))


def _packet_lengths(plt: bytes) -> Iterator[int]:
    """Seven bits a byte, the most significant first; the top bit says that more follow."""
    length = 0
    for byte in plt[5:]:
        length = length << 7 | byte & 0x7F
        if byte < 0x80:
            yield length
            length = 0
