"""How good pictures are, measured as sparingly as what is asked of them permits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.trials import RECOGNISABLE
from progressive import metrics
from progressive.codec import Photo

Floats = NDArray[np.float64]

FIRST_LOOKS = 5


def squared_error(picture: Photo, photo: Photo) -> float:
    """Summed over all samples."""
    difference = picture.astype(np.int16) - photo
    return float(np.square(difference, dtype=np.int32).sum(dtype=np.int64))


def similarities(pictures: Sequence[Photo], photo: Photo) -> Floats:
    """MS-SSIM of each of some ever better pictures; nan if the photo is too small.

    Measured at a few of them, and at those around the first that is recognisable; in between it is a straight line.
    Pictures that are one object are measured once and have the same.
    """
    distinct = [n for n, picture in enumerate(pictures) if n == 0 or picture is not pictures[n - 1]]
    known: dict[int, float] = {}

    def at(number: int) -> float:
        if number not in known:
            value = metrics.ms_ssim(pictures[distinct[number]], photo)
            known[number] = np.nan if value is None else value
        return known[number]

    for number in np.linspace(0, len(distinct) - 1, FIRST_LOOKS).astype(int).tolist():
        at(number)
    high = min((n for n, value in known.items() if value >= RECOGNISABLE), default=0)
    low = max((n for n in known if n < high), default=high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= RECOGNISABLE else (middle, high)
    numbers = sorted(known)
    lines = np.interp(np.arange(len(distinct)), numbers, [known[n] for n in numbers])
    return np.asarray(np.repeat(lines, np.diff([*distinct, len(pictures)])))
