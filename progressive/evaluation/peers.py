"""Formats that people use today, each at its best settings: one file for every quality, all of its bytes counted."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image, features

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.curves import Point, measure

Peer = Callable[[Photo, float], Iterator[Point]]


def jpeg_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """Progressive JPEG with optimised Huffman tables, every quality, chroma at half and at full resolution."""
    for subsampling in ("4:2:0", "4:4:4")[: 1 if _is_grey(original) else 2]:
        settings = {"progressive": True, "optimize": True, "subsampling": subsampling}
        yield from _points(original, max_bpp, "JPEG", ({"quality": q} | settings for q in range(1, 96)))


def jpeg2000_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """JPEG 2000 with the 9/7 transform, and the colour transform for colour photos, at rates 6 % apart."""
    channels = 1 if _is_grey(original) else 3
    rates = 0.02 * 1.06 ** np.arange(120)
    settings = {"quality_mode": "rates", "irreversible": True} | ({"mct": 1} if channels == 3 else {})
    yield from _points(
        original, max_bpp, "JPEG2000", ({"quality_layers": [8 * channels / bpp]} | settings for bpp in rates)
    )


def webp_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """Lossy WebP by its slowest method."""
    yield from _points(original, max_bpp, "WEBP", ({"quality": q, "method": 6} for q in range(0, 96, 2)))


def avif_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """AVIF at speed 4 with chroma at full resolution."""
    settings = {"speed": 4, "subsampling": "4:4:4"}
    yield from _points(original, max_bpp, "AVIF", ({"quality": q} | settings for q in range(0, 96, 4)))


def jxl_points(original: Photo, max_bpp: float) -> Iterator[Point]:
    """JPEG XL at effort 9; needs the extra `jxl`."""
    qualities = (*range(1, 20, 2), *range(20, 96, 4))
    yield from _points(original, max_bpp, "JXL", ({"quality": q, "effort": 9} for q in qualities))


PEERS: dict[str, Peer] = {
    "jpeg": jpeg_points,
    "jpeg2000": jpeg2000_points,
    "webp": webp_points,
    "avif": avif_points,
    "jxl": jxl_points,
}


def check_peer(name: str) -> None:
    """Raises UsageError for a peer that is unknown, or that cannot be encoded here."""
    if name not in PEERS:
        raise UsageError(f"unknown peer {name!r}: use one of {', '.join(PEERS)}")
    if name == "jxl":
        try:
            import_module("pillow_jxl")
        except ImportError:
            raise UsageError("JPEG XL needs the extra 'jxl': pip install 'progressive[jxl]'") from None
    feature = {"jpeg2000": "jpg_2000", "webp": "webp", "avif": "avif"}.get(name)
    if feature and not features.check(feature):
        raise UsageError(f"this Pillow was built without {name}: install the wheel from PyPI")


def _points(original: Photo, max_bpp: float, file_format: str, settings: Iterable[dict[str, Any]]) -> Iterator[Point]:
    """One point for each setting, by rising quality, until the files are too large."""
    image = Image.fromarray(original[..., 0] if _is_grey(original) else original)
    limit = max_bpp * original.shape[0] * original.shape[1] / 8
    for chosen in settings:
        file = io.BytesIO()
        image.save(file, file_format, **chosen)
        size = len(file.getvalue())
        if size > limit:
            return
        with Image.open(file) as decoded:
            yield measure(np.asarray(decoded.convert("RGB")), original, size)


def _is_grey(original: Photo) -> bool:
    return bool((original == original[..., :1]).all())
