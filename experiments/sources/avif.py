"""AVIF: shows nothing before its last byte. Alone, or behind a thumbnail that is an AVIF of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from PIL import Image

from experiments.sources.pillow import check_feature, decode, encode, version_of
from experiments.sources.prefix import Coded, PrefixSource, best_within
from progressive.codec import Photo
from progressive.evaluation.peers.search import tightest
from progressive.photos import downscale

RATES_BPP = tuple(0.1 * 2 ** (step / 2) for step in range(9))
THUMBNAIL_RATES_BPP = RATES_BPP[::2]
QUALITIES = range(2, 98, 3)
SPEED = 4

THUMBNAIL_SHARE = 0.12
"""Of the whole file: the thumbnail's bytes are at most such a part of them."""

THUMBNAIL_FACTORS = (8.0, 4.0, 2.0)
"""How much shorter its sides may be."""


def avif_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """Tuned for PSNR, chroma at half or full resolution, whichever is better."""
    return {limit: Coded(data, (len(data),)) for limit, data in _best(photo, limits).items()}


def thumbnail_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """A thumbnail, shown enlarged until the photo itself has come; its size is the best that fits."""
    photos = _best(photo, [int(limit * (1 - THUMBNAIL_SHARE)) for limit in limits])
    files = {}
    for limit in limits:
        allowed = int(limit * THUMBNAIL_SHARE)
        found = [_best(downscale(photo, factor), [allowed]).get(allowed) for factor in THUMBNAIL_FACTORS]
        thumbnails = [data for data in found if data is not None]
        best = best_within(thumbnails, [allowed], lambda data: _enlarged(data, photo.shape[:2]), photo)
        whole = photos.get(int(limit * (1 - THUMBNAIL_SHARE)))
        if whole is not None and best:
            first = best[allowed]
            files[limit] = Coded(first + whole, (len(first), len(first) + len(whole)))
    return files


def avif_picture(data: bytes, _shape: tuple[int, int]) -> Photo | None:
    return decode(data)


def thumbnail_picture(data: bytes, shape: tuple[int, int]) -> Photo | None:
    """Of the thumbnail alone, or of the photo behind it: each begins with its own file type box."""
    second = data.find(_FILE_TYPE, len(_FILE_TYPE) + _BOX_LENGTH)
    return _enlarged(data, shape) if second < 0 else decode(data[second - _BOX_LENGTH :])


_FILE_TYPE = b"ftypavif"
_BOX_LENGTH = 4


def _best(photo: Photo, limits: Sequence[int]) -> dict[int, bytes]:
    def coded(subsampling: str, quality: int) -> bytes:
        settings = {"quality": quality, "speed": SPEED, "subsampling": subsampling, "max_threads": 1, "codec": "aom"}
        return encode(photo, "AVIF", settings | {"advanced": {"tune": "psnr"}})

    found = [
        data
        for subsampling in ("4:2:0", "4:4:4")
        for _, data in tightest(partial(coded, subsampling), QUALITIES, limits)
    ]
    return best_within(found, limits, decode, photo)


def _enlarged(data: bytes, shape: tuple[int, int]) -> Photo:
    small = Image.fromarray(decode(data))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _version() -> str:
    return f"libavif {version_of('avif')} speed {SPEED} {QUALITIES} {THUMBNAIL_SHARE} {THUMBNAIL_FACTORS}"


def _check() -> None:
    check_feature("AVIF", "avif")


AVIF = PrefixSource("avif", avif_files, avif_picture, RATES_BPP, _version, _check)
AVIF_THUMBNAIL = PrefixSource(
    "avif-thumbnail", thumbnail_files, thumbnail_picture, THUMBNAIL_RATES_BPP, _version, _check
)
