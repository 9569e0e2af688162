"""Metrics of the difference sample by sample."""

from __future__ import annotations

import math

import numpy as np

from progressive.codec import Photo
from progressive.metrics.pairs import check_pair


def psnr(picture: Photo, original: Photo) -> float:
    """Peak signal-to-noise ratio over all samples of two [H, W, 3] pictures, in dB; infinite if they are equal.

    Raises UsageError if the shapes differ.
    """
    check_pair(picture, original)
    difference = picture.astype(np.int16) - original.astype(np.int16)
    squared_error = int(np.sum(np.square(difference, dtype=np.int32), dtype=np.int64))
    if squared_error == 0:
        return math.inf
    return 10 * math.log10(255**2 * picture.size / squared_error)
