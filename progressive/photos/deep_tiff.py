"""TIFF files of 16 bits a sample: Pillow knows some of them not, and reads others as noise.

tifffile reads them, unless their compression needs imagecodecs; those are right with Pillow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from tifffile import TiffPage

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_MODES = {0: ("L", "LA"), 1: ("L", "LA"), 2: ("RGB", "RGBA"), 5: ("CMYK", "")}
"""Pillow's names of white-is-zero, black-is-zero, RGB and CMYK, without and with alpha, by TIFF's numbers."""

_ASSOCIATED, _UNASSOCIATED = 1, 2
"""TIFF's numbers of alpha that the colours were multiplied by, and of alpha beside them."""


def open_deep_tiff(path: Path | str, check_size: Callable[[tuple[int, int]], None]) -> Image.Image | None:
    """The picture of a TIFF file with 16 bits a sample, as it lies in the file; None leaves the file to Pillow.

    Colour and transparent pictures come with 8 bits, grey ones as `I;16`. `check_size` is asked with (width, height)
    before a pixel is decoded. Raises ValueError for samples that have no set white, and for what is cut short.
    """
    with Path(path).open("rb") as file:
        if file.read(4) not in SIGNATURES:
            return None
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # it tells of damage on standard error
    try:
        tiff = tifffile.TiffFile(path)
    except Exception:  # noqa: BLE001 - Pillow says what is wrong with it
        return None
    with tiff:
        page = tiff.pages[0]
        if not isinstance(page, tifffile.TiffPage) or page.bitspersample <= 8 or page.photometric not in _MODES:
            return None
        check_size((page.imagewidth, page.imagelength))
        if page.bitspersample != 16 or page.dtype != np.uint16:
            raise ValueError(f"samples of {_in_words(page)}, save it with 8 or 16 bits a sample")
        if max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))) > tiff.filehandle.size:
            raise ValueError("it is cut short")
        try:
            samples = page.asarray()
        except ValueError as error:
            if "imagecodecs" in str(error):
                return None
            raise
        image = _image(page, samples)
        if page.iccprofile:
            image.info["icc_profile"] = page.iccprofile
        if (turned := page.tags.get(ExifTags.Base.Orientation)) is not None:
            image.getexif()[ExifTags.Base.Orientation] = turned.value
        return image


def _in_words(page: TiffPage) -> str:
    if page.bitspersample > 16:
        return f"more than 16 bits ({page.bitspersample})"
    return f"{page.bitspersample} bits" if page.bitspersample < 16 else f"16 bits that are {page.dtype}"


def _image(page: TiffPage, samples: NDArray[np.uint16]) -> Image.Image:
    """From samples in the order of the file's axes; raises ValueError if they are not those of one picture."""
    if sorted(page.axes) == ["X", "Y"]:
        planes = samples[..., None]
    elif page.axes in {"YXS", "SYX"}:
        planes = samples if page.axes == "YXS" else np.moveaxis(samples, 0, -1)
    else:
        raise ValueError("it is not one flat picture")
    opaque, transparent = _MODES[page.photometric]
    colours = Image.getmodebands(opaque)
    if page.photometric == 0:
        planes = np.concatenate([0xFFFF - planes[..., :1], planes[..., 1:]], axis=2)
    alpha = page.extrasamples[0] if page.extrasamples else 0
    if alpha not in {_ASSOCIATED, _UNASSOCIATED} or not transparent:
        if colours == 1:
            return Image.fromarray(np.ascontiguousarray(planes[..., 0]))
        return _eight_bits(planes[..., :colours], opaque)
    if alpha == _ASSOCIATED:
        share = np.maximum(planes[..., colours : colours + 1], 1).astype(np.float32) / 0xFFFF
        planes = np.concatenate([np.minimum(planes[..., :colours] / share, 0xFFFF), planes[..., colours:]], axis=2)
    return _eight_bits(planes[..., : colours + 1], transparent)


def _eight_bits(samples: NDArray[Any], mode: str) -> Image.Image:
    eight = ((samples.astype(np.uint32) * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)
    return Image.frombytes(mode, eight.shape[1::-1], eight.tobytes())
