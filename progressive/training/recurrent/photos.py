"""Photos of the recurrent codec's recipe: held as bytes, cropped when they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.recurrent.layout import CELL
from progressive.codecs.recurrent.networks import GREY


class PhotoPool:
    """Photos to draw crops from, each side at least that of any crop; `device` is where they are held."""

    def __init__(self, photos: Sequence[Photo], device: torch.device) -> None:
        self._photos = [torch.tensor(p).permute(2, 0, 1).to(device) for p in photos]

    def draw(self, rng: np.random.Generator, count: int, side: int) -> Tensor:
        """Random square crops, half of them mirrored: RGB about zero, [count, 3, side, side]."""
        crops = []
        for _ in range(count):
            photo = self._photos[int(rng.integers(len(self._photos)))]
            top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[1:])
            crop = photo[:, top : top + side, left : left + side]
            crops.append(crop.flip(2) if rng.random() < 0.5 else crop)
        return torch.stack(crops).float() / 255 - GREY


def watched(photos: Sequence[Photo], device: torch.device) -> list[Tensor]:
    """Photos to watch the progress on, as far as whole cells go: RGB about zero, [1, 3, 16 h, 16 w]."""
    large = [photo for photo in photos if min(photo.shape[:2]) >= CELL]
    cut = [photo[: photo.shape[0] // CELL * CELL, : photo.shape[1] // CELL * CELL] for photo in large]
    return [torch.tensor(photo).permute(2, 0, 1)[None].float().to(device) / 255 - GREY for photo in cut]
