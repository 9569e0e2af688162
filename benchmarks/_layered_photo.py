"""A photo as rmpgc's progressive networks code it, in ideal bits, to be cut at any step of the stream's order."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc import wavelet
from progressive.codecs.rmpgc.encoder import ENERGIES
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS, LUMA, PLANES, SCALES
from progressive.codecs.rmpgc.quantiser import base_index
from progressive.training.rmpgc_conditions import BASE, values_under
from progressive.training.rmpgc_model import Trainee
from progressive.training.rmpgc_rate import BaseLoss, PlaneLoss, blocks_of, unblocked

Numbers = NDArray[np.float64]

SAME_DB = 1e-4
"""PSNRs that differ by less are the same picture, computed in another order."""


def psnr(picture: Tensor, photo: Tensor) -> float:
    """In dB, of values clipped to 0..1 but not rounded."""
    return -10 * math.log10(float((picture.clamp(0, 1) - photo).square().mean()) + 1e-10)


class LayeredPhoto:
    """The photo's symbols, what they cost and what they show.

    Args:
        model: the progressive one.
        photo: RGB in 0..1, [1, 3, H, W], sides multiples of 64.

    Attributes:
        blocks: how many.
        base: bits of the base.
        bits: of each level and block, [LEVELS, B].
        order: blocks, each as often as it has levels: what the stream sends after the base.
    """

    @torch.no_grad()
    def __init__(self, model: Trainee, photo: Tensor) -> None:
        self._model, self._photo = model, photo
        latent = model.analysis(photo)
        self._grid = (1, *latent[0].shape[2:])
        self.blocks = math.prod(self._grid)
        self._latent = [blocks_of(y, side) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
        self.base, contexts, index = self._coded_base(latent)
        self._indices, self._tiers = [index], list[list[Tensor]]()
        self.bits = np.stack([bits for plane in range(1, PLANES + 1) for bits in self._coded_plane(plane, contexts)])
        errors = np.stack([self._errors(level) for level in range(LEVELS + 1)])
        self.order = by_slope(-np.diff(errors, axis=0), self.bits)
        self._psnr_of = cache(self._psnr)

    def bits_by_slope(self, db: float) -> float:
        """Bits of the base and the fewest steps of the order that reach a PSNR, or nan if all do not."""
        spent = self.spent_by_slope()
        steps = bisect_left(range(len(spent)), True, key=lambda k: self.psnr_after(k) >= db - SAME_DB)
        return float(spent[steps]) if steps < len(spent) else math.nan

    def bits_by_level(self, db: float) -> float:
        """Bits at which the curve through the pictures with all blocks at one level reaches a PSNR, or nan.

        Logarithms of bits are interpolated.
        """
        qualities = [self._psnr_of((level,) * self.blocks) for level in range(LEVELS + 1)]
        spent = self.base + np.concatenate([[0], self.bits.sum(1).cumsum()])
        return float(np.exp(np.interp(db, qualities, np.log(spent), right=math.nan)))

    def spent_by_slope(self) -> Numbers:
        """Bits after each number of steps of the order, none first."""
        reached, steps = np.zeros(self.blocks, int), []
        for block in self.order:
            steps.append(self.bits[reached[block], block])
            reached[block] += 1
        return self.base + np.concatenate([[0], np.cumsum(steps)])

    def psnr_after(self, steps: int) -> float:
        """PSNR of the picture from the base and so many steps of the order."""
        return self._psnr_of(tuple(np.bincount(self.order[:steps], minlength=self.blocks).tolist()))

    def _coded_base(self, latent: list[Tensor]) -> tuple[float, list[Tensor], list[Tensor]]:
        """Bits; contexts and indices of all blocks."""
        networks, chain, bits = self._model.networks, list[Tensor](), 0.0
        index = [base_index(y).contiguous(memory_format=torch.channels_last) for y in latent]
        for scale in range(SCALES):
            coder = BaseLoss(index[scale], LUMA[scale])
            features = networks.chain_features(scale, chain[-1] if chain else None, index[0])
            chain.append(networks.code_base(scale, features, coder)[1])
            bits += float(torch.as_tensor(coder.bits).double().sum())
        contexts, indices = (
            [blocks_of(t, side) for t, side in zip(tensors, BLOCK_SIDES, strict=True)]
            for tensors in (networks.contexts(chain), index)
        )
        return bits, contexts, indices

    def _coded_plane(self, plane: int, contexts: list[Tensor]) -> tuple[Numbers, Numbers]:
        """Bits of each block's tiers; to `PlaneLoss` every block is a photo."""
        early = torch.zeros(self.blocks, dtype=torch.bool, device=self._photo.device)
        first = PlaneLoss(self._model.networks, self._latent, contexts, plane, early)
        first.code(self._indices[-1])
        second = PlaneLoss(self._model.networks, self._latent, contexts, plane, ~early)
        self._indices.append(second.code(self._indices[-1], first.tiers))
        self._tiers.append(first.tiers)
        return _numbers(first.bits.sum(1)), _numbers(second.bits.sum(1))

    def _values(self, levels: Tensor) -> list[Tensor]:
        """Expected coefficients of blocks at these levels, [B]."""
        states = BASE + levels.view(-1, 1, 1).to(self._photo.device)
        return values_under(self._model.dequantiser, self._latent, self._indices, self._tiers, states)

    def _errors(self, level: int) -> Numbers:
        """Squared error of each block at a level as the encoder reckons it, [B]."""
        total = torch.zeros(self.blocks, device=self._photo.device)
        values = self._values(torch.full((self.blocks,), level))
        for value, y, energy in zip(values, self._latent, ENERGIES, strict=True):
            total += energy * (value - y).square().sum((1, 2, 3))
        return _numbers(total)

    @torch.no_grad()
    def _psnr(self, levels: tuple[int, ...]) -> float:
        reached = torch.tensor(levels)
        linear = wavelet.synthesise([unblocked(v, *self._grid) for v in self._values(reached)])
        states = (BASE + reached).view(self._grid).to(linear.device)
        return psnr(self._model.synthesis.refine(linear, states), self._photo)


def by_slope(gains: Numbers, bits: Numbers) -> list[int]:
    """Blocks by what their next level gains a bit, each argument [LEVELS, B]; a block's levels keep their order."""
    slopes = gains / (bits + 1)
    order: list[int] = []
    waiting = [(-slope, block, 0) for block, slope in enumerate(slopes[0])]
    heapq.heapify(waiting)
    while waiting:
        _, block, level = heapq.heappop(waiting)
        order.append(block)
        if level + 1 < len(slopes):
            heapq.heappush(waiting, (-slopes[level + 1, block], block, level + 1))
    return order


def _numbers(values: Tensor) -> Numbers:
    numbers: Numbers = values.double().cpu().numpy()
    return numbers
