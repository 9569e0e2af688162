"""Formats that people use today, each at its best settings."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.curves import Point, measure

_SUBSAMPLINGS = ("4:2:0", "4:4:4")


def jpeg_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """Progressive JPEG with optimised Huffman tables at every quality; both chroma resolutions, grey without chroma."""
    grey = bool((original == original[..., :1]).all())
    image = Image.fromarray(original[..., 0] if grey else original)
    limit = max_bpp * original.shape[0] * original.shape[1] / 8
    for subsampling in _SUBSAMPLINGS[: 1 if grey else 2]:
        for quality in range(1, 96):
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality, progressive=True, optimize=True, subsampling=subsampling)
            if file.tell() > limit:
                break
            with Image.open(file) as decoded:
                yield measure(np.asarray(decoded.convert("RGB")), original, file.tell())


PEERS: dict[str, Callable[[Photo, float], Iterator[Point]]] = {"jpeg": jpeg_points}


def peer_points(name: str, original: Photo, *, max_bpp: float) -> Iterator[Point]:
    """Raises UsageError for a peer that is not in the table."""
    if name not in PEERS:
        raise UsageError(f"unknown peer {name!r}: use one of {', '.join(sorted(PEERS))}")
    return PEERS[name](original, max_bpp)
