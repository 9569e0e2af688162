"""JPEG 2000 with a quality layer for about every packet: a receiver shows the layers that are complete."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from experiments.sources.pillow import check_feature, decode_if_accepted, encode, version_of
from experiments.sources.prefix import Coded, PrefixSource
from progressive.codec import Photo
from progressive.evaluation.peers.jpeg2000_layers import LayeredCodestream, parse_codestream

RATES_BPP = tuple(0.15 * 2.0**step for step in range(5))
FIRST_LAYER = 520
"""Bytes up to the end of the first layer: about those of a small packet. The layers that follow are as large .."""

GROWTH = 1.08
""".. or end at so many times the layer before: a layer costs bytes in every resolution."""

RESOLUTIONS = 6
_START_OF_TILE_PART, _END = b"\xff\x90", b"\xff\xd9"
_LENGTH_OF_TILE_PART = 6


def jpeg2000_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """A raw codestream for each limit, wavelet 9/7, layer after layer, without length markers and comments.

    Its receiver is assumed to know where layers end, which costs it nothing here.
    """
    files = {}
    for limit in limits:
        stream = _layered(photo, limit)
        ends = [len(stream.cut(n)) - len(_END) for n in range(1, len(stream.layer_ends) + 1)]
        fitting = [n for n, end in enumerate(ends, start=1) if end <= limit]
        if fitting:
            data = stream.cut(fitting[-1])[: -len(_END)]
            files[limit] = Coded(data, tuple(ends[: fitting[-1]]))
    return files


def jpeg2000_picture(data: bytes, _shape: tuple[int, int]) -> Photo | None:
    """The picture of whole layers: the tile-part's length is set to what there is of it."""
    tile_part = data.find(_START_OF_TILE_PART)
    if tile_part < 0:
        return None
    length = struct.pack(">I", len(data) - tile_part)
    at = tile_part + _LENGTH_OF_TILE_PART
    return decode_if_accepted(data[:at] + length + data[at + len(length) :] + _END)


def layer_ends(limit: int) -> list[int]:
    """Bytes at which the layers are to end, the last one at the limit."""
    ends = [min(FIRST_LAYER, limit)]
    while ends[-1] < limit:
        ends.append(min(limit, max(ends[-1] + FIRST_LAYER, round(ends[-1] * GROWTH))))
    return ends


def _layered(photo: Photo, limit: int) -> LayeredCodestream:
    settings: dict[str, object] = {
        "quality_mode": "rates",
        "quality_layers": [photo.size / end for end in layer_ends(limit)],
        "irreversible": True,
        "mct": 1,
        "num_resolutions": min(RESOLUTIONS, min(photo.shape[:2]).bit_length()),
        "no_jp2": True,
        "plt": True,
    }
    return parse_codestream(encode(photo, "JPEG2000", settings))


def _version() -> str:
    return f"openjpeg {version_of('jpg_2000')} {FIRST_LAYER} {GROWTH} {RESOLUTIONS}"


JPEG2000 = PrefixSource(
    "jpeg2000",
    jpeg2000_files,
    jpeg2000_picture,
    RATES_BPP,
    _version,
    lambda: check_feature("JPEG 2000", "jpg_2000"),
)
