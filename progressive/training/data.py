"""Photos for training, decoded once into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
MAX_UPSCALING = 1.6
"""Downscaled training photos are sharper than what cameras deliver; enlarging them at random makes up for it."""


def load_photos(folders: Sequence[Path], *, limit: int, seed: int, upscaling: float = MAX_UPSCALING) -> list[Photo]:
    """Up to `limit` photos found below the folders, each enlarged by 1..`upscaling`; the same for the same seed.

    Raises UsageError if the folders hold none.
    """
    paths = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError(
            f"no photos below {', '.join(map(str, folders))}: --data takes folders of {', '.join(SUFFIXES)} files"
        )
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(paths))[:limit]
    return [_enlarged(paths[i], rng.uniform(1, upscaling)) for i in chosen]


def _enlarged(path: Path, scale: float) -> Photo:
    with Image.open(path) as image:
        size = (round(image.width * scale), round(image.height * scale))
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
