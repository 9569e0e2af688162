"""WebP, row by row: libwebp's incremental decoder shows the rows that have come; the others stay grey."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import PIL

from experiments.sources.pillow import check_feature, decode, encode, version_of
from experiments.sources.prefix import Coded, PrefixSource, best_within
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.peers.search import tightest

RATES_BPP = tuple(0.1 * 2 ** (step / 2) for step in range(9))
QUALITIES = tuple(np.arange(0, 100.5, 0.5).tolist())
GREY = 128

_RGB = 0  # MODE_RGB of webp/decode.h


def webp_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """Lossy, by the slowest method."""
    found = [
        data for _, data in tightest(lambda q: encode(photo, "WEBP", {"quality": q, "method": 6}), QUALITIES, limits)
    ]
    return {limit: Coded(data) for limit, data in best_within(found, limits, decode, photo).items()}


def webp_picture(data: bytes, shape: tuple[int, int]) -> Photo | None:
    """The rows that the beginning of a file gives, [H, W, 3]; None if it gives none."""
    library = _library()
    picture = np.full((*shape, 3), GREY, np.uint8)
    rows, width, height, stride = (ctypes.c_int() for _ in range(4))
    decoder = library.WebPINewRGB(_RGB, None, 0, 0)
    try:
        library.WebPIAppend(decoder, data, len(data))
        pixels = library.WebPIDecGetRGB(decoder, *map(ctypes.byref, (rows, width, height, stride)))
        if not pixels or rows.value < 1 or (height.value, width.value) != shape:
            return None
        own = ctypes.string_at(pixels, rows.value * stride.value)
    finally:
        library.WebPIDelete(decoder)
    known = np.frombuffer(own, np.uint8).reshape(rows.value, stride.value)[:, : 3 * width.value]
    picture[: rows.value] = known.reshape(rows.value, width.value, 3)
    return picture


@cache
def _library() -> ctypes.CDLL:
    """libwebp: the one that Pillow's wheel brings, or the system's. Raises UsageError if there is none."""
    bundled = sorted(Path(PIL.__file__).parent.parent.glob("pillow.libs/libwebp-*"))
    name = str(bundled[0]) if bundled else ctypes.util.find_library("webp")
    if name is None:
        raise UsageError("rows of WebP need libwebp: install Pillow's wheel from PyPI, or libwebp7")
    library = ctypes.CDLL(name)
    number = ctypes.POINTER(ctypes.c_int)
    library.WebPINewRGB.restype = ctypes.c_void_p
    library.WebPINewRGB.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    library.WebPIAppend.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    library.WebPIDecGetRGB.restype = ctypes.c_void_p
    library.WebPIDecGetRGB.argtypes = (ctypes.c_void_p, number, number, number, number)
    library.WebPIDelete.argtypes = (ctypes.c_void_p,)
    library.WebPIDelete.restype = None
    return library


def _version() -> str:
    return f"libwebp {version_of('webp')} method 6"


def _check() -> None:
    check_feature("WebP", "webp")
    _library()


WEBP = PrefixSource("webp", webp_files, webp_picture, RATES_BPP, _version, _check)
