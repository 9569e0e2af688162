"""The Lagrangian input: gamma = log lambda as one byte, what it says of each step, and how meaning shifts it.

Whatever decides probabilities is an integer here. `gamma` runs from the coarsest rate (0) to the finest (255); a block
of 8x8 pixels has the photo's gamma, shifted by its compression level T_i (ResNet VAE Eq. 16-19): more for what has
meaning, the mean kept.

Legend: R x K cells of 8x8 pixels; h x w positions of a scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.hierarchical_vae.latents import LATENTS, ROOT, STRIDES
from progressive.segments.tiles import BLOCK
from progressive.semantics.coarse_map import CoarseMap

FINEST = 255
"""The largest gamma."""

CELL = 8
"""Side of the paper's blocks, in pixels: the cells of a map of gammas."""

COARSEST_STEP, OCTAVES = 1.8, 5.0
"""The quantisation step of gamma 0, for photo values in 0..1 under an orthonormal transform; how often 255 halve it."""

STEPS = torch.tensor([COARSEST_STEP * 2 ** (-OCTAVES * gamma / FINEST) for gamma in range(FINEST + 1)])
"""The step of each gamma."""

SLOPE = 11.0
"""lambda times the square of the step: bits for a unit of squared error, with bins of width one. At high rates a step
suits lambda = 6 / ln 2 / step^2; where most coefficients are zero, more."""

LAGRANGIAN = SLOPE / STEPS.square()
"""lambda of each gamma: bits that are worth a unit of squared error."""

UNITS = torch.tensor([round(float(step) * 64) for step in STEPS])
"""The step in 64ths, an integer."""

HATS = 6
"""Inputs that tell a network gamma: hat functions, whose sum is 255 everywhere."""

MEAN_LEVEL = 16
"""M, the mean compression level of Eq. 16."""

LARGEST_LEVEL = 4 * MEAN_LEVEL
SHIFT_OF_OCTAVE = 26
"""How far twice the mean level shifts gamma: half an octave of the step, a doubling of lambda."""

SHIFTS = np.array(
    [round(SHIFT_OF_OCTAVE * math.log2(max(level, 4) / MEAN_LEVEL)) for level in range(LARGEST_LEVEL + 1)]
)
"""The shift of gamma that each compression level makes; levels below a quarter of the mean are alike."""

LEAST_IMPORTANCE = 26
"""What is added to the importance of a cell, 0..255: background is coded coarser, not dropped."""


def hats(gammas: Tensor) -> Tensor:
    """[N, h, w] -> [N, HATS, h, w], integers 0..255."""
    width = FINEST // (HATS - 1)
    centres = torch.arange(HATS, dtype=torch.int32, device=gammas.device).view(-1, 1, 1) * width
    distance = (gammas.to(torch.int32)[:, None] - centres).abs()
    return (FINEST - (HATS - 1) * distance).clamp_(min=0)


@dataclass(frozen=True)
class Gammas:
    """What rate photos are coded at.

    Fields:
        photos: gamma of each photo, uint8 [N]; the first latent has it everywhere.
        cells: gammas of cells of 8x8 pixels, uint8 [N, R, K] with R and K multiples of 8; other latents follow them.
    """

    photos: Tensor
    cells: Tensor

    @classmethod
    def of(cls, gamma: int, rows: int, columns: int, meaning: CoarseMap | None) -> Gammas:
        """Of one photo of so many cells, shifted by meaning if there is any."""
        cells = np.full((rows, columns), gamma)
        if meaning is not None:
            cells = np.clip(gamma + shifts(meaning, rows, columns), 0, FINEST)
        return cls(torch.tensor([gamma], dtype=torch.uint8), torch.from_numpy(cells.astype(np.uint8))[None])

    @cached_property
    def scales(self) -> list[Tensor]:
        """Of the positions of each scale, uint8 [N, h, w]; a coarse one has the mean of its cells, rounded down."""
        rows, columns = (n * CELL // BLOCK for n in self.cells.shape[1:])
        found = []
        for scale, stride in enumerate(STRIDES):
            if scale in LATENTS[ROOT].scales:
                found.append(self.photos[:, None, None].expand(-1, rows, columns))
            elif stride <= CELL:
                factor = CELL // stride
                found.append(self.cells.repeat_interleave(factor, 1).repeat_interleave(factor, 2))
            else:
                means = F.avg_pool2d(self.cells.to(torch.float64)[:, None], stride // CELL)
                found.append(means[:, 0].floor().to(torch.uint8))
        return found

    @cached_property
    def steps(self) -> list[Tensor]:
        """The quantisation steps of the positions of each scale, [N, 1, h, w]."""
        table = STEPS.to(self.cells.device)[:, None]
        return [F.embedding(gammas.long(), table).permute(0, 3, 1, 2) for gammas in self.scales]

    def cut(self, rows: slice, columns: slice) -> Gammas:
        """Of some cells."""
        return Gammas(self.photos, self.cells[:, rows, columns])

    def to(self, device: torch.device) -> Gammas:
        """The same on a device."""
        return Gammas(self.photos.to(device), self.cells.to(device))


def shifts(meaning: CoarseMap, rows: int, columns: int) -> NDArray[np.int64]:
    """How far the compression level of each cell shifts gamma, [rows, columns]; the mean is zero but for rounding.

    T_i = floor(L_i M N) with L_i the cell's share of all importance (Eq. 17-19), in integers.
    """
    values = np.floor(meaning.upsampled(rows, columns).astype(np.float64) * 255).astype(np.int64) + LEAST_IMPORTANCE
    levels = values * (MEAN_LEVEL * values.size) // values.sum()
    found = SHIFTS[np.minimum(levels, LARGEST_LEVEL)]
    return np.asarray(found - found.sum() // found.size)
