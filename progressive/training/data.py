"""Photos for training, decoded once into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
MAX_UPSCALING = 1.6
"""Downscaled training photos are sharper than what cameras deliver; enlarging them at random makes up for it."""


SMALLEST_RATIO = 8
"""Of few photos no more than one in so many is set aside."""


@dataclass(frozen=True, slots=True)
class Photos:
    """What a recipe is given.

    Fields:
        training: photos to train on.
        held_out: those to watch the progress on, of any size.
        training_files, held_out_files: where each was read from.
    """

    training: list[Photo]
    held_out: list[Photo]
    training_files: list[Path] = field(default_factory=list)
    held_out_files: list[Path] = field(default_factory=list)

    @property
    def in_words(self) -> str:
        megapixels = sum(photo.shape[0] * photo.shape[1] for photo in self.training) / 1e6
        return f"{len(self.training)} photos, {megapixels:.0f} megapixels, {len(self.held_out)} set aside"


def load_sets(
    data: Sequence[Path],
    held_out: Path | None,
    *,
    limit: int,
    set_aside: int,
    side: int,
    seed: int,
    upscaling: float = MAX_UPSCALING,
) -> Photos:
    """The photos to train on, and those to watch the progress on.

    At most `limit` photos of `data` with sides of `side` pixels or more; the others are left out. The first `set_aside`
    of the folder `held_out`, or of `data`, are watched, not trained on. Raises UsageError if there is nothing to train
    on.
    """
    photos = _loaded(data, limit, seed, upscaling)
    if held_out:
        apart, others = _loaded([held_out], set_aside, seed, upscaling), photos
    else:
        count = min(set_aside, len(photos) // SMALLEST_RATIO)
        apart, others = photos[:count], photos[count:]
    training = [each for each in others if min(each[0].shape[:2]) >= side]
    if not training:
        raise UsageError(f"none of the photos is {side} pixels high and wide: give larger ones, or crop less")
    return Photos(
        [photo for photo, _ in training],
        [photo for photo, _ in apart],
        [file for _, file in training],
        [file for _, file in apart],
    )


def load_photos(folders: Sequence[Path], *, limit: int, seed: int, upscaling: float = MAX_UPSCALING) -> list[Photo]:
    """Up to `limit` photos found below the folders, each enlarged by 1..`upscaling`; the same for the same seed.

    Raises UsageError if the folders hold none.
    """
    return [photo for photo, _ in _loaded(folders, limit, seed, upscaling)]


def _loaded(folders: Sequence[Path], limit: int, seed: int, upscaling: float) -> list[tuple[Photo, Path]]:
    paths = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError(
            f"no photos below {', '.join(map(str, folders))}: --data takes folders of {', '.join(SUFFIXES)} files"
        )
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(paths))[:limit]
    return [(_enlarged(paths[i], rng.uniform(1, upscaling)), paths[i]) for i in chosen]


def _enlarged(path: Path, scale: float) -> Photo:
    with Image.open(path) as image:
        size = (round(image.width * scale), round(image.height * scale))
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
