"""A good start: a linear latent whose levels the quantiser has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, Variant
from progressive.training.cells import fit_cells

SPREAD = 1.1
"""Standard deviation of a channel, in levels."""

SMALLEST = 1e-3
"""Of a coefficient's spread: photos of a single colour have none."""

SHARED_SPREAD = 0.7
"""The same of what channels have beyond their mean, where there is a mean to code."""


def start(generator: Generator, variant: Variant, photos: Sequence[Photo]) -> None:
    """Sets the linear transform to a Karhunen-Loeve one of equal spreads.

    For latents without layers it is turned so that the channels' mean is the first coefficient: under Eq. 14 a masked
    position then shows just that.
    """
    linear = generator.linear
    fit_cells(linear, photos)
    with torch.no_grad():
        cells = [linear.analyse(_pixels(photo)).flatten(2)[0] for photo in photos]
        size = torch.cat(cells, 1).std(1).clamp(min=SMALLEST)
        scale = (torch.full_like(size, SPREAD) / size).view(-1, 1, 1)
        turn = torch.eye(CHANNELS)
        if not variant.base:
            scale[0] *= CHANNELS**0.5 * 0.9
            scale[1:] *= SHARED_SPREAD / SPREAD
            turn = _mean_first()
        linear.analysis.copy_(torch.einsum("ij,jshw->ishw", turn, linear.analysis * scale[..., None]))
        linear.start.copy_(torch.einsum("ij,jhw->ihw", turn, linear.start * scale))
        linear.synthesis.copy_(torch.einsum("sjhw,ij->sihw", linear.synthesis / scale.view(1, -1, 1, 1), turn))


def _mean_first() -> torch.Tensor:
    """An orthogonal matrix whose first column is constant, [C, C]."""
    constant = np.full(CHANNELS, CHANNELS**-0.5)
    away = constant - np.eye(CHANNELS)[0]
    householder = np.eye(CHANNELS) - 2 * np.outer(away, away) / (away @ away)
    return torch.from_numpy(householder.astype(np.float32))


def _pixels(photo: Photo) -> torch.Tensor:
    height, width = (n // 8 * 8 for n in photo.shape[:2])
    return torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
