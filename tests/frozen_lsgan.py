"""An LS-GAN model that depends on no training and no library's random numbers: all from sequences of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits
from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan.contexts import (
    BUSY,
    KINDS,
    MEANS,
    SHAPES,
    SPREADS,
    TABLE,
)
from progressive.codecs.rmpgc.backbones.lsgan.model import GENERATOR, TABLES, Model
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import LEVELS, REACH
from progressive.codecs.rmpgc.backbones.lsgan.variants import CELL, CHANNELS
from progressive.exact.tables import frequencies_from_counts

LAST_LAYERS = ("leave.", "second.")
"""Small, so that the networks add little to the linear transform."""


@cache
def frozen_model(variant: str = "rmpgc") -> Model:
    return Model(frozen_tensors(), variant)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    tensors = {}
    bits = Bits(7)
    for name, tensor in Generator().state_dict().items():
        size = 0.02 if any(part in name for part in LAST_LAYERS) else 1.0
        spread = size / max(1, int(np.prod(tensor.shape[1:]))) ** 0.5
        numbers = bits.integers(1000, tuple(tensor.shape)) / 1000 * spread
        tensors[GENERATOR + name] = torch.from_numpy(numbers).to(tensor)
    return tensors | _means_and_slopes() | {TABLES + TABLE: _table()}


def _table() -> Tensor:
    """A level near the neighbours' mean is the likeliest, the more so the less they differ."""
    row = np.arange(SHAPES[TABLE][0])
    mean = row // (SPREADS * (len(BUSY) + 1)) % MEANS
    spread = row // (len(BUSY) + 1) % SPREADS
    away = abs(2 * np.arange(-REACH, REACH + 1)[None] - (mean[:, None] - 2 * REACH))
    counts = 400.0 / (1 + away * (SPREADS - spread[:, None]))
    assert counts.shape == (len(row), LEVELS)
    assert len(row) % KINDS == 0
    return torch.from_numpy(frequencies_from_counts(counts).astype(np.int16))


def _means_and_slopes() -> dict[str, Tensor]:
    """The linear transform: brightness, colours and a few slopes of cells, orthogonal."""
    along = (np.arange(CELL) - (CELL - 1) / 2) / CELL
    flat, across = np.ones((CELL, CELL)), np.tile(along, (CELL, 1))
    grey, warm, green = np.array([1.0, 1, 1]), np.array([1.0, 0, -1]), np.array([1.0, -2, 1])
    patterns = [(grey, flat), (warm, flat), (green, flat), (grey, across), (grey, across.T)]
    patterns += [(grey, across * across.T), (warm, across), (warm, across.T)]
    axes = np.stack([np.multiply.outer(colour, pattern).ravel() for colour, pattern in patterns])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    scale = np.array([0.6, 1.5, 2, 1.5, 1.5, 3, 3, 3])[:, None]
    assert len(axes) == CHANNELS
    return {
        f"{GENERATOR}linear.analysis": torch.from_numpy(axes * scale)[:, :, None, None].float(),
        f"{GENERATOR}linear.synthesis": torch.from_numpy((axes / scale).T.copy())[:, :, None, None].float(),
        f"{GENERATOR}linear.start": torch.zeros(CHANNELS, 1, 1),
    }
