"""Pillow's pictures become photos: 8-bit sRGB [H, W, 3], upright, nothing transparent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from progressive.codec import Photo
from progressive.photos.colours import Tell, to_srgb

_PHOTOMETRIC = 262
"""TIFF's tag that says what stands for white."""


def silent(line: str) -> None:
    """Nobody wants to know."""


def to_photo(image: Image.Image, *, path: Path | str | None = None, tell: Tell | None = None) -> Photo:
    """The picture as [H, W, 3], turned as its EXIF says, in sRGB, over white where it is transparent.

    Args:
        image: of any mode that has a set white; ValueError for others.
        path: of its file, in which colours may be named; None if there is none.
        tell: takes a line if colours were converted, or could not be.
    """
    return _to_rgb(ImageOps.exif_transpose(to_srgb(image, path, tell or silent)))


def resized(photo: Photo, shape: tuple[int, ...]) -> Photo:
    """The photo at the size of one of this shape, [H, W, 3]."""
    if photo.shape[:2] == shape[:2]:
        return photo
    return np.asarray(Image.fromarray(photo).resize((shape[1], shape[0]), Image.Resampling.LANCZOS))


def with_right_samples(image: Image.Image) -> Image.Image:
    """Of 16 bits, where Pillow leaves something to do; raises ValueError if that cannot be done."""
    if image.mode.startswith("I;16") and isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
        inverted = Image.fromarray(0xFFFF - np.asarray(image).astype(np.uint16))
        inverted.info, inverted.format = image.info, image.format
        return inverted
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 0xFF:
        if (np.asarray(image) == np.array(key) >> 8).all(2).any():
            raise ValueError("a transparent colour of 16 bits, save it with an alpha channel")
        del image.info["transparency"]
    return image


def _to_rgb(image: Image.Image) -> Photo:
    if image.mode.startswith(("I", "F")):
        return _deep_grey_to_rgb(np.asarray(image), image.info.get("transparency"))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def _deep_grey_to_rgb(samples: NDArray[Any], transparent: object = None) -> Photo:
    """Grey samples of 16 bits, which Pillow may hold as 32-bit integers; what has no set white is refused.

    Samples of the value that is `transparent`, if it is a number, are white.
    """
    if samples.dtype.kind not in "iu" or samples.min() < 0 or samples.max() > 0xFFFF:
        raise ValueError("samples of more than 16 bits, save it with 8 or 16")
    grey = ((samples.astype(np.uint32) * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)
    if isinstance(transparent, int):
        grey[samples == transparent] = 0xFF
    return np.repeat(grey[:, :, None], 3, axis=2)
