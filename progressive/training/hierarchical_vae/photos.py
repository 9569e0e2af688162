"""Photos to train on, held as bytes on the device that trains, each with where meaning is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae.rates import CELL, FINEST, Gammas, shifts
from progressive.segments.tiles import BLOCK
from progressive.semantics.coarse_map import CoarseMap
from progressive.semantics.sources import coarse_importance_map, upsampled
from progressive.training.hierarchical_vae.settings import Settings

RANDOM_SHIFT = 40
"""How far a random map shifts gamma at most."""

RANDOM_SIDE = 4
"""Numbers drawn along a side of a random map."""


@dataclass(frozen=True)
class Batch:
    """Crops to train on.

    Fields:
        photos: RGB in 0..1, [N, 3, H, W].
        gammas: of the crops.
        importance: of the cells, 0..1, [N, H / 8, W / 8].
    """

    photos: Tensor
    gammas: Gammas
    importance: Tensor


class PhotoPool:
    """Photos to draw crops from.

    Args:
        photos: RGB bytes, each side at least that of any crop.
        device: where they are held.
    """

    def __init__(self, photos: Sequence[Photo], device: torch.device) -> None:
        self.device = device
        self.photos = [torch.tensor(p).permute(2, 0, 1).to(device) for p in photos]
        self._meaning: dict[int, CoarseMap] = {}

    def draw(self, rng: np.random.Generator, count: int, side: int, settings: Settings) -> Batch:
        """Random square crops, half of them mirrored, each at a gamma, some with maps of it."""
        crops, whole, cells, importance = [], [], [], []
        for _ in range(count):
            number = int(rng.integers(len(self.photos)))
            photo = self.photos[number]
            top, left = (int(rng.integers((n - side) // CELL + 1)) for n in photo.shape[1:])
            place = slice(top, top + side // CELL), slice(left, left + side // CELL)
            meaning = self.meaning(number)
            rows, columns = (-(-n // CELL) for n in photo.shape[1:])
            gamma = int(rng.integers(settings.lowest_gamma, settings.highest_gamma + 1))
            whole.append(gamma)
            kind = rng.random()
            shift: NDArray[np.floating | np.integer] = np.zeros((side // CELL, side // CELL))
            if kind < settings.meaning_share:
                shift = shifts(meaning, rows, columns)[place]
            elif kind < settings.meaning_share + settings.random_share:
                shift = _random_map(rng, side // CELL)
            important = meaning.upsampled(rows, columns)[place]
            crop = photo[:, top * CELL : top * CELL + side, left * CELL : left * CELL + side]
            mirrored = rng.random() < 0.5
            crops.append(crop.flip(2) if mirrored else crop)
            cells.append(np.flip(gamma + shift, 1) if mirrored else gamma + shift)
            importance.append(np.flip(important, 1) if mirrored else important)
        at = np.clip(np.rint(np.stack(cells)), 0, FINEST).astype(np.uint8)
        return Batch(
            torch.stack(crops).float() / 255,
            Gammas(torch.tensor(whole, dtype=torch.uint8), torch.from_numpy(at)).to(self.device),
            torch.from_numpy(np.stack(importance).astype(np.float32)).to(self.device),
        )

    def meaning(self, number: int) -> CoarseMap:
        """Where meaning is in a photo; looked at once."""
        if number not in self._meaning:
            self._meaning[number] = meaning_of(self.photos[number].permute(1, 2, 0).cpu().numpy())
        return self._meaning[number]

    def whole(self, count: int) -> list[Photo]:
        """The first photos, bytes [H, W, 3]."""
        return [photo.permute(1, 2, 0).cpu().numpy() for photo in self.photos[:count]]


def meaning_of(photo: Photo) -> CoarseMap:
    """Where meaning is in a photo, as a stream tells it."""
    return CoarseMap.of(upsampled(coarse_importance_map(photo), photo))


def watched(photos: Sequence[Photo], device: torch.device) -> list[Tensor]:
    """Photos of a block or more, to watch the progress on, as far as whole blocks go: RGB in 0..1, [1, 3, H, W]."""
    large = [torch.tensor(photo).permute(2, 0, 1) for photo in photos if min(photo.shape[:2]) >= BLOCK]
    sides = [[n // BLOCK * BLOCK for n in photo.shape[1:]] for photo in large]
    return [photo[None, :, :h, :w].float().to(device) / 255 for photo, (h, w) in zip(large, sides, strict=True)]


def _random_map(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    drawn = torch.from_numpy(rng.uniform(-1, 1, (1, 1, RANDOM_SIDE, RANDOM_SIDE)).astype(np.float32))
    smooth = F.interpolate(drawn, size=(side, side), mode="bicubic", align_corners=True)[0, 0]
    return np.asarray(smooth.clamp(-1, 1).numpy() * RANDOM_SHIFT)
