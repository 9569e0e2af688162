"""Photos held as bytes on the device that trains, cropped when they are drawn.

Legend: N crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.segments.tiles import BLOCK

BRIGHTER = 0.4
"""How far a flat crop's brightness is from the mean of what it takes the place of, at most."""

GREY_SHARE = 0.5
"""Of flat crops, which have no colour at all."""


@dataclass(frozen=True)
class Crops:
    """Crops to train on. Fields: RGB in 0..1, [N, 3, side, side]; which are of a single colour, bool [N]."""

    photos: Tensor
    flat: Tensor


class CropPool:
    """Photos to draw crops from, each side at least that of any crop; `device` is where they are held."""

    def __init__(self, photos: Sequence[Photo], device: torch.device) -> None:
        self.device = device
        self.photos = [torch.tensor(p).permute(2, 0, 1).to(device) for p in photos]

    def draw(self, rng: np.random.Generator, count: int, side: int, flat_share: float = 0.0) -> Crops:
        """Random square crops, half of them mirrored; a share of them of a single colour."""
        crops, flat = [], rng.random(count) < flat_share
        for number in range(count):
            photo = self.photos[int(rng.integers(len(self.photos)))]
            top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[1:])
            crop = photo[:, top : top + side, left : left + side].float() / 255
            crop = crop.flip(2) if rng.random() < 0.5 else crop
            if flat[number]:
                colour = crop.mean((1, 2), keepdim=True) + float(rng.uniform(-BRIGHTER, BRIGHTER))
                colour = colour.mean(0, keepdim=True).expand(3, 1, 1) if rng.random() < GREY_SHARE else colour
                crop = colour.clamp(0, 1).expand_as(crop)
            crops.append(crop)
        return Crops(torch.stack(crops), torch.from_numpy(flat).to(self.device))

    def whole(self, count: int) -> list[Tensor]:
        """The first photos as far as whole blocks go, RGB in 0..1 on the CPU, [1, 3, H, W]."""
        return [whole_blocks(photo.cpu()) for photo in self.photos[:count] if min(photo.shape[1:]) >= BLOCK]


def watched(photos: Sequence[Photo], device: torch.device) -> list[Tensor]:
    """Photos of a block or more, to watch the progress on, as far as whole blocks go: RGB in 0..1, [1, 3, H, W]."""
    large = [photo for photo in photos if min(photo.shape[:2]) >= BLOCK]
    return [whole_blocks(torch.tensor(photo).permute(2, 0, 1)).to(device) for photo in large]


def whole_blocks(photo: Tensor) -> Tensor:
    """As much of a photo as whole blocks cover: bytes [3, h, w] -> 0..1, [1, 3, H, W]."""
    height, width = (n // BLOCK * BLOCK for n in photo.shape[1:])
    return photo[None, :, :height, :width].float() / 255
