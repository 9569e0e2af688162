"""From photos to latents, piece by piece, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS
from progressive.codecs.rmpgc.layout import Layout
from progressive.segments.pieces import padded, pieces, with_margin

MARGIN = 6
"""Blocks around a piece that take part in its transform; beyond them nothing is felt any more."""


def latent_of(photo: Photo, layout: Layout, analyse: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """The latent of a whole photo, [H, W, 3], piece by piece: all scales [1, C, h, w]."""
    latent = [
        torch.empty(1, channels, layout.rows * side, layout.columns * side)
        for channels, side in zip(CHANNELS, BLOCK_SIDES, strict=True)
    ]
    for piece in pieces(layout, MARGIN):
        around = with_margin(piece, layout, MARGIN)
        part = analyse(padded(photo, around))
        for whole, values, side in zip(latent, part, BLOCK_SIDES, strict=True):
            whole[:, :, *piece.slices(side)] = values[:, :, *piece.inside(around).slices(side)]
    return latent
