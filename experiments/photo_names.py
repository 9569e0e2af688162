"""Photos by name, as experiment files name them: files, folders, globs, and the samples of scikit-image.

A sample may be brought to the size of other photos, `skimage:coffee@768x512`: parameters that are chosen on it then are
for as many bytes a pixel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos import downscale, find_photos, read_photo, sample_photo

SAMPLE = "skimage:"
MOST_PIXELS = 768 * 512
"""Larger photos are downscaled: experiments compare systems, not sizes."""


def find_names(source: str, beside: Path) -> list[str]:
    """The names of the photos that a source stands for: `skimage:astronaut@768x512`, or a file, a folder or a glob.

    A relative path is looked for in the folder `beside`, in the current folder, and in the one that PROGRESSIVE_DATA
    names (`data` if it names none). Raises UsageError if there is nothing in any of them.
    """
    if source.startswith(SAMPLE):
        _sample(source)
        return [source]
    folders = (beside, Path(), Path(os.environ.get("PROGRESSIVE_DATA") or "data"))
    for folder in folders:
        try:
            return [str(path.resolve()) for path in find_photos(str(folder / source))]
        except UsageError:
            continue
    places = ", ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
    raise UsageError(
        f"no photos {source!r} in {places}: give a file, a folder or a glob, skimage:NAME, or set PROGRESSIVE_DATA"
    )


def short_name(name: str) -> str:
    """For tables: without the folder."""
    return name if name.startswith(SAMPLE) else Path(name).name


def spread(names: Sequence[str], most: int | None) -> tuple[str, ...]:
    """At most so many of the names, evenly from first to last."""
    count = len(names) if most is None else min(most, len(names))
    return tuple(names[len(names) * i // count] for i in range(count))


def load_photo(name: str) -> Photo:
    """The photo of a name that `find_names` gave, [H, W, 3], of at most `MOST_PIXELS`; raises UsageError."""
    return downscale(_sample(name) if name.startswith(SAMPLE) else read_photo(name), max_pixels=MOST_PIXELS)


def _sample(name: str) -> Photo:
    """Scaled until it covers the size that is asked for, and cut to it about its centre; UsageError."""
    sample, at, size = name.removeprefix(SAMPLE).partition("@")
    photo = sample_photo(sample)
    if not at:
        return photo
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", size)
    if not match or int(match[1]) * int(match[2]) > MOST_PIXELS:
        raise UsageError(f"photo {name!r} has no size of at most {MOST_PIXELS} pixels: use such as @768x512")
    wanted = int(match[1]), int(match[2])
    return np.asarray(ImageOps.fit(Image.fromarray(photo), wanted, Image.Resampling.LANCZOS))
