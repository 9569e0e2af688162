"""Photos and their label maps, held as bytes on the device that trains; what is drawn of them is changed at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.label_guided.classes import COUNT, OTHER
from progressive.codecs.label_guided.layout import CELL
from progressive.segments.tiles import BLOCK
from progressive.training.label_guided.labels import VOID, Map

SCALES = (0.6, 1.4)
"""How much larger a crop shows a photo."""

BRIGHTER, COLOURED, CONTRAST = 0.12, 0.08, 0.25
"""How far a crop's brightness, the gain of each of its colours, and its contrast are changed at most."""


@dataclass(frozen=True)
class Batch:
    """Crops to train on.

    Fields:
        photos: RGB in 0..1, [N, 3, H, W].
        classes: of each pixel, or VOID, int64 [N, H, W].
        flat: which are of a single colour, bool [N].
    """

    photos: Tensor
    classes: Tensor
    flat: Tensor

    @property
    def full_maps(self) -> Tensor:
        """The class of each pixel as one of K inputs, [N, K, H, W]; what is not known is something else."""
        known = torch.where(self.classes == VOID, OTHER, self.classes)
        return F.one_hot(known, COUNT).permute(0, 3, 1, 2).float()

    @property
    def labels(self) -> Tensor:
        """The commonest class of each cell, int64 [N, H / 16, W / 16]."""
        return F.avg_pool2d(self.full_maps, CELL).argmax(1)


class PhotoPool:
    """Photos to draw crops from.

    Args:
        photos: RGB bytes, each side at least that of any crop.
        maps: their classes.
        device: where they are held.
    """

    def __init__(self, photos: Sequence[Photo], maps: Sequence[Map], device: torch.device) -> None:
        self.device = device
        self.photos = [torch.tensor(p).permute(2, 0, 1).to(device) for p in photos]
        self.maps = [torch.tensor(m).to(device) for m in maps]

    def draw(self, rng: np.random.Generator, count: int, side: int, flat_share: float = 0.0) -> Batch:
        """Random square crops, half of them mirrored, of other sizes and colours; a share of them of one colour."""
        photos, classes, flat = [], [], rng.random(count) < flat_share
        for place in range(count):
            number = int(rng.integers(len(self.photos)))
            photo, own = self._crop(number, side, rng)
            if flat[place]:
                photo = photo.mean((1, 2), keepdim=True).add(float(rng.uniform(-0.3, 0.3))).expand_as(photo)
            photos.append(_recoloured(photo, rng))
            classes.append(own)
        crops = torch.stack(photos).contiguous(memory_format=torch.channels_last)
        return Batch(crops, torch.stack(classes).long(), torch.from_numpy(flat).to(self.device))

    def whole(self, count: int) -> list[tuple[Photo, Map]]:
        """The first photos, bytes [H, W, 3], and their classes."""
        return [
            (photo.permute(1, 2, 0).cpu().numpy(), own.cpu().numpy())
            for photo, own in zip(self.photos[:count], self.maps[:count], strict=True)
        ]

    def _crop(self, number: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        photo, own = self.photos[number], self.maps[number]
        wanted = round(side / float(rng.uniform(*SCALES)))
        taken = min(wanted, *photo.shape[1:])
        top, left = (int(rng.integers(n - taken + 1)) for n in photo.shape[1:])
        place = slice(top, top + taken), slice(left, left + taken)
        crop = photo[:, *place].float()[None] / 255
        crop = F.interpolate(crop, size=(side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)
        classes = F.interpolate(own[place][None, None].float(), size=(side, side), mode="nearest")[0, 0]
        if rng.random() < 0.5:
            crop, classes = crop.flip(2), classes.flip(1)
        return crop, classes


def watched(photos: Sequence[Photo], maps: Sequence[Map], device: torch.device) -> list[Batch]:
    """Photos of a block or more with their classes, as far as whole blocks go."""
    found = []
    for photo, own in zip(photos, maps, strict=True):
        height, width = (n // BLOCK * BLOCK for n in photo.shape[:2])
        if height and width:
            pixels = torch.tensor(photo[:height, :width]).permute(2, 0, 1)[None].float().to(device) / 255
            classes = torch.tensor(own[:height, :width])[None].long().to(device)
            found.append(Batch(pixels, classes, torch.zeros(1, dtype=torch.bool, device=device)))
    return found


def _recoloured(photo: Tensor, rng: np.random.Generator) -> Tensor:
    gains = torch.from_numpy(rng.uniform(1 - COLOURED, 1 + COLOURED, (3, 1, 1)).astype(np.float32)).to(photo.device)
    contrast = float(rng.uniform(1 - CONTRAST, 1 + CONTRAST))
    brighter = float(rng.uniform(-BRIGHTER, BRIGHTER))
    return ((photo - 0.5) * contrast * gains + 0.5 + brighter).clamp(0, 1)
