"""sRGB photos <-> Y'CbCr 4:2:0 planes (full-range BT.601, as in JPEG), centred on zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder.layout import BLOCK, Layout

Plane = NDArray[np.float32]

_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)
_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136286, -0.714136286], [1, 1.772, 0]], np.float32)


def is_grey(photo: Photo) -> bool:
    return bool((photo[..., 0] == photo[..., 1]).all() and (photo[..., 1] == photo[..., 2]).all())


def to_planes(photo: Photo, layout: Layout) -> list[Plane]:
    """[H, W, 3] -> luma [8 rows, 8 columns] and, unless the layout is grey, Cb and Cr at half of that; -128..127."""
    padding = (layout.rows * BLOCK - layout.height, layout.columns * BLOCK - layout.width)
    padded = np.pad(photo, ((0, padding[0]), (0, padding[1]), (0, 0)), mode="edge")
    if layout.components == 1:
        return [padded[..., 0].astype(np.float32) - 128]
    luma, *chroma = np.moveaxis(padded.astype(np.float32) @ _TO_YCC.T, -1, 0)
    return [luma - 128, *(_halve(c) for c in chroma)]


def to_photo(planes: list[Plane], width: int) -> Photo:
    """The inverse of `to_planes`, rounded and clipped to 0..255 and cropped to this width, [8 rows, width, 3]."""
    luma = planes[0] + 128
    if len(planes) == 1:
        rgb = np.repeat(luma[..., None], 3, axis=-1)
    else:
        rgb = np.stack([luma, *(_double(c) for c in planes[1:])], -1) @ _TO_RGB.T
    return np.clip(np.rint(rgb[:, :width]), 0, 255).astype(np.uint8)


def _halve(plane: Plane) -> Plane:
    mean: Plane = (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / np.float32(4)
    return mean


def _double(plane: Plane) -> Plane:
    """Bilinear, with samples at the centres of 2x2 pixels: each new sample is 3/4 the near one and 1/4 the far one."""
    for axis in (0, 1):
        plane = _double_axis(plane, axis)
    return plane


def _double_axis(plane: Plane, axis: int) -> Plane:
    padded = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
    before, after = np.delete(padded, (-2, -1), axis), np.delete(padded, (0, 1), axis)
    near, quarter = np.float32(0.75) * plane, np.float32(0.25)
    pair = np.stack([near + quarter * before, near + quarter * after], axis + 1)
    doubled: Plane = pair.reshape([n * 2 if a == axis else n for a, n in enumerate(plane.shape)])
    return doubled
