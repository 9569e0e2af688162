"""Photos of RMPGC's recipe: decoded once, held as bytes on the device that trains, cropped there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.layout import BLOCK


class PhotoPool:
    """Photos to draw crops from.

    Args:
        photos: RGB bytes, each side at least that of any crop.
        device: where they are held.
    """

    def __init__(self, photos: Sequence[Photo], device: torch.device) -> None:
        self.device = device
        self.photos = [torch.tensor(p).permute(2, 0, 1).to(device) for p in photos]
        self.colours = [Colours.of(p) for p in photos]

    def draw(self, rng: np.random.Generator, count: int, side: int) -> Tensor:
        """Random square crops, half of them mirrored, turned to their photos' colours: 0..1, [count, 3, side, side]."""
        return torch.cat([colours.turned(crop) for crop, colours in self.draw_each(rng, count, side)])

    def draw_each(self, rng: np.random.Generator, count: int, side: int) -> list[tuple[Tensor, Colours]]:
        """The same as they are, RGB in 0..1 [1, 3, side, side], each with its photo's colours."""
        crops = []
        for _ in range(count):
            number = int(rng.integers(len(self.photos)))
            photo = self.photos[number]
            top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[1:])
            crop = photo[None, :, top : top + side, left : left + side].float() / 255
            crops.append((crop.flip(3) if rng.random() < 0.5 else crop, self.colours[number]))
        return crops

    def whole(self, count: int) -> list[Tensor]:
        """The first photos in their colours, as far as whole blocks go: 0..1 on the CPU, [1, 3, H, W]."""
        chosen = zip(self.photos[:count], self.colours, strict=False)
        return [colours.turned(_whole_blocks(photo.cpu())) for photo, colours in chosen]


def watched(photos: Sequence[Photo], device: torch.device) -> list[Tensor]:
    """Photos of a block or more, to watch the progress on, as far as whole blocks go: RGB in 0..1, [1, 3, H, W]."""
    large = [photo for photo in photos if min(photo.shape[:2]) >= BLOCK]
    return [_whole_blocks(torch.tensor(photo).permute(2, 0, 1)).to(device) for photo in large]


def _whole_blocks(photo: Tensor) -> Tensor:
    """As much of a photo as whole blocks cover: bytes [3, h, w] -> 0..1, [1, 3, H, W]."""
    height, width = (n // BLOCK * BLOCK for n in photo.shape[1:])
    return photo[None, :, :height, :width].float() / 255
