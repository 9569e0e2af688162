"""A good start: a linear latent whose levels the quantiser has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.lsgan.layers import RESIDUAL_GAIN
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, Variant
from progressive.training.cells import fit_cells

SPREAD = 1.1
"""Standard deviation of a channel, in levels."""

SMALLEST = 1e-3
"""Of a coefficient's spread: photos of a single colour have none."""

MEAN_SPREAD, SHARED_SPREAD = 1.0, 0.7
"""The same of the channels' mean where it is coded, and of what channels have beyond it."""


def start(generator: Generator, variant: Variant, photos: Sequence[Photo]) -> None:
    """Sets the linear transform to a Karhunen-Loeve one of equal spreads.

    The second layer has nothing of its own at first: it refines the first one (`layers.decomposed`). Latents without
    layers are turned so that the channels' mean is the first coefficient: under Eq. 14 a masked position then shows
    just that.
    """
    linear = generator.linear
    fit_cells(linear, photos)
    with torch.no_grad():
        cells = [linear.analyse(_pixels(photo)).flatten(2)[0] for photo in photos]
        size = torch.cat(cells, 1).std(1).clamp(min=SMALLEST)
        spread = torch.full_like(size, SPREAD)
        if not variant.base:
            spread[0], spread[1:] = CHANNELS**0.5 * MEAN_SPREAD, SHARED_SPREAD
        scale = spread / size
        turn = _layered() if variant.base else _mean_first()
        back = turn.T.clone()
        if variant.base:
            back[0, 1] = 1 / RESIDUAL_GAIN
        analysis, first = linear.analysis * scale.view(-1, 1, 1, 1), linear.start * scale.view(-1, 1, 1)
        synthesis = linear.synthesis / scale.view(1, -1, 1, 1)
        linear.analysis.copy_(torch.einsum("ij,jshw->ishw", turn, analysis))
        linear.start.copy_(torch.einsum("ij,jhw->ihw", turn, first))
        linear.synthesis.copy_(torch.einsum("sjhw,ji->sihw", synthesis, back))


def _layered() -> torch.Tensor:
    """Coefficients to channels, the second of which gets none, [C, C]."""
    turn = torch.zeros(CHANNELS, CHANNELS)
    turn[0, 0] = 1
    turn[2:, 1:-1] = torch.eye(CHANNELS - 2)
    return turn


def _mean_first() -> torch.Tensor:
    """An orthogonal matrix whose first column is constant, [C, C]."""
    constant = np.full(CHANNELS, CHANNELS**-0.5)
    away = constant - np.eye(CHANNELS)[0]
    householder = np.eye(CHANNELS) - 2 * np.outer(away, away) / (away @ away)
    return torch.from_numpy(householder.astype(np.float32))


def _pixels(photo: Photo) -> torch.Tensor:
    height, width = (n // 8 * 8 for n in photo.shape[:2])
    return torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
