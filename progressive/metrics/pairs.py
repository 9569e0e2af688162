"""What every metric asks of the two pictures it compares."""

from __future__ import annotations

import numpy as np

from progressive.codec import Photo
from progressive.errors import UsageError


def check_pair(picture: Photo, original: Photo) -> None:
    """Raises UsageError unless both are 8-bit RGB pictures of one size."""
    for one in (picture, original):
        if not isinstance(one, np.ndarray):
            raise UsageError(f"cannot measure a {type(one).__name__}: use uint8 [H, W, 3]")
        if one.dtype != "uint8" or one.ndim != 3 or one.shape[2] != 3:
            raise UsageError(f"cannot measure a picture of {one.dtype} {one.shape}: use uint8 [H, W, 3]")
    if picture.shape != original.shape:
        sizes = " and ".join(f"{one.shape[1]}x{one.shape[0]}" for one in (picture, original))
        raise UsageError(f"cannot compare pictures of {sizes} pixels: use an original of the same size")
