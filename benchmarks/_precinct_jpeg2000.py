"""JPEG 2000 over a link that loses packets: precincts decode apart, and what is lost becomes an empty packet.

The PLT marker says how long each of the format's own packets is (here: a piece; ISO/IEC 15444-1, A.7.3). A piece that
is lost, and the later layers of its precinct, which build on it, are replaced by the one byte of an empty packet, so
that any decoder stays in step.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks._packets import Lost, PacketedFile, largest_within
from progressive.codec import Photo

EMPTY = b"\0"

_SOT, _SOD, _PLT, _EOC = 0xFF90, 0xFF93, 0xFF58, b"\xff\xd9"

SIZE_STEPS = 400
"""Target sizes tried are this many to the whole: 0.25 % apart."""


@dataclass(frozen=True, slots=True)
class PrecinctJpeg2000:
    """A codestream of one tile in pieces, in the progression layer, resolution, component, precinct.

    Fields:
        head: main header, tile-part header without PLT markers.
        tile_part_length: where `head` holds the length of the tile-part.
        pieces: the code of each packet of the format, layer by layer.
        layers: number of quality layers.
        max_payload: bytes of a packet on the link; pieces fill them one after another.
        size: bytes of the file, PLT markers included.
    """

    head: bytes
    tile_part_length: int
    pieces: tuple[bytes, ...]
    layers: int
    max_payload: int
    size: int

    @property
    def packets(self) -> int:
        return -(-sum(map(len, self.pieces)) // self.max_payload)

    def picture(self, lost: Lost) -> Photo:
        ends = np.cumsum([len(piece) for piece in self.pieces])
        starts = np.concatenate(([0], ends[:-1]))
        lost_before = np.concatenate(([0], np.cumsum(lost)))
        touched = lost_before[(ends - 1) // self.max_payload + 1] > lost_before[starts // self.max_payload]
        gone = np.logical_or.accumulate(touched.reshape(self.layers, -1), axis=0).ravel()
        body = b"".join(EMPTY if g else piece for g, piece in zip(gone, self.pieces, strict=True))
        head, at = bytearray(self.head), self.tile_part_length
        tile_part_start = at - 6
        struct.pack_into("!I", head, at, len(head) - tile_part_start + len(body))
        with Image.open(io.BytesIO(bytes(head) + body + _EOC)) as image:
            return np.asarray(image.convert("RGB"))


def precinct_jpeg2000(
    photo: Photo, size_bytes: int, *, layers: int, precinct: int, code_block: int, max_payload: int
) -> PrecinctJpeg2000:
    """About this size: 9/7 transform, colour transform, layers whose sizes double."""
    file = io.BytesIO()
    ratio = photo.size / size_bytes
    Image.fromarray(photo).save(
        file,
        "JPEG2000",
        no_jp2=True,
        mct=1,
        irreversible=True,
        progression="LRCP",
        plt=True,
        codeblock_size=(code_block, code_block),
        precinct_size=(precinct, precinct),
        quality_mode="rates",
        quality_layers=[ratio * 2**below for below in reversed(range(layers))],
    )
    return parse(file.getvalue(), layers, max_payload)


def parse(data: bytes, layers: int, max_payload: int) -> PrecinctJpeg2000:
    """Cuts a codestream of one tile-part at the lengths that its PLT markers give."""
    head, tile_part_length, lengths = bytearray(data[:2]), 0, list[int]()
    position, marker = 2, 0
    while marker != _SOD:
        (marker,) = struct.unpack_from("!H", data, position)
        end = position + 2 + (struct.unpack_from("!H", data, position + 2)[0] if marker != _SOD else 0)
        if marker == _PLT:
            lengths += _packet_lengths(data[position + 5 : end])
        else:
            tile_part_length = len(head) + 6 if marker == _SOT else tile_part_length
            head += data[position:end]
        position = end
    pieces = []
    for length in lengths:
        pieces.append(data[position : position + length])
        position += length
    return PrecinctJpeg2000(bytes(head), tile_part_length, tuple(pieces), layers, max_payload, len(data))


def best_precinct_jpeg2000(
    photo: Photo, size_bytes: int, *, layers: int, precinct: int, code_block: int, max_payload: int
) -> PacketedFile | None:
    """The largest file of at most this size, its markers included; None if none is as small."""

    def make(step: float) -> PacketedFile:
        aim = int(size_bytes * step / SIZE_STEPS)
        settings = {"layers": layers, "precinct": precinct, "code_block": code_block, "max_payload": max_payload}
        return precinct_jpeg2000(photo, aim, **settings)

    return largest_within(size_bytes, make, range(SIZE_STEPS // 20, SIZE_STEPS + 1))


def _packet_lengths(coded: bytes) -> list[int]:
    """Numbers of seven bits a byte, the highest first; the top bit says that another follows."""
    lengths, number = [], 0
    for byte in coded:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            lengths.append(number)
            number = 0
    return lengths
