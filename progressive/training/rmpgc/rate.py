"""The rate of RMPGC's symbols under its probability networks, differentiable: the loss of their training.

A step codes one level of some photos, and the base, which all levels see. The networks walk as they do in the codec
(`ProbabilityNetworks.code_level`).

Legend: N photos; B blocks; C coefficients a position; h x w positions; R x K blocks of a photo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.ideal import FIRST_SLOPES, base_bits, expected_slope, plane_bits
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, PLANES, SCALES, plane_and_tier
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.passes import Place


@dataclass
class BaseCost:
    """A pass coder of the base: hands out the true indices and adds up the bits.

    Fields:
        index: of the scale, [N, C, h, w].
        bits: the sum so far.
    """

    index: Tensor
    bits: Tensor

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        index = place.coefficients(self.index)
        mean, log_scale = parameters.float().unbind(1)
        self.bits = self.bits + base_bits(index, mean, log_scale).sum()
        return index


@dataclass
class LevelCost:
    """A level coder: hands out the true symbols of a tier and adds up the bits.

    Fields:
        level: which.
        symbols, parents: of all scales, [B, C, s, s].
        bits: those coded, by scale, [SCALES].
        look_bits: those of all symbols by the look, which is trained by them.
        later: of each scale, True for symbols that come second.
    """

    level: int
    symbols: list[Tensor]
    parents: list[Tensor]
    looks: bool = True
    bits: Tensor = field(init=False)
    look_bits: Tensor = field(init=False)
    later: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bits = self.look_bits = self.symbols[0].new_zeros(SCALES)
        self._plane, self._tier = plane_and_tier(self.level)

    def looked(self, scale: int, parameters: Tensor) -> None:
        zero, sign = parameters.float().unbind(1)
        parents, symbols = self.parents[scale], self.symbols[scale]
        cost = plane_bits(symbols, parents, torch.stack([zero, sign, zero, sign], 1), self._plane)
        self.look_bits = self.look_bits + _at(scale, cost.sum())
        self.later.append(expected_slope(parents, zero.detach(), self._plane) < FIRST_SLOPES[self._plane - 1])

    def known(self, scale: int) -> Tensor:
        symbols = self.symbols[scale]
        return symbols * ~self.later[scale] if self._tier else torch.zeros_like(symbols)

    def coded(self, scale: int) -> None:
        return None

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        symbols, parents, later = (place.coefficients(t[place.scale]) for t in (self.symbols, self.parents, self.later))
        coded = later == bool(self._tier)
        cost = coded * plane_bits(symbols, parents, parameters.float(), self._plane)
        self.bits = self.bits + _at(place.scale, cost.sum())
        return symbols if self._tier else symbols * coded


@dataclass(frozen=True)
class Rate:
    """What photos take. Fields: bits of base, level and look, of all photos by scale, [SCALES]."""

    base: Tensor
    level: Tensor
    look: Tensor


def rate_of(networks: ProbabilityNetworks, latent: list[Tensor], level: int) -> Rate:
    """The bits of a level of photos, all scales [N, C, h, w], and of their base."""
    base, contexts = base_rate(networks, latent)
    parents, symbols = parents_and_symbols(latent, plane_and_tier(level)[0])
    cost = LevelCost(level, _blocks(symbols), _blocks(parents))
    networks.code_level(level, contexts, cost.parents, cost)
    return Rate(base, cost.bits, cost.look_bits)


def base_rate(networks: ProbabilityNetworks, latent: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Bits of the base by scale, [SCALES], and the contexts of all blocks that follow from it."""
    index = [quantiser.base_index(y) for y in latent]
    bits, contexts, before = [], [], None
    for scale in range(SCALES):
        coder = BaseCost(index[scale], latent[0].new_zeros(()))
        before = networks.code_base(scale, before, index[0], coder)
        bits.append(coder.bits)
        contexts.append(before)
    return torch.stack(bits), _blocks(contexts)


def parents_and_symbols(latent: list[Tensor], plane: int) -> tuple[list[Tensor], list[Tensor]]:
    """Indices before, and symbols of, a plane: two tensors a scale, [N, C, h, w]."""
    indices = [quantiser.base_index(y) for y in latent]
    for coarser in range(1, plane):
        split = [quantiser.refine(y, n, coarser) for y, n in zip(latent, indices, strict=True)]
        indices = [quantiser.child_of(n, s, coarser) for n, s in zip(indices, split, strict=True)]
    return indices, [quantiser.refine(y, n, plane) for y, n in zip(latent, indices, strict=True)]


@torch.no_grad()
def bits_of_planes(networks: ProbabilityNetworks, latent: list[Tensor]) -> Tensor:
    """Bits of the base and of each plane of photos, by scale, [PLANES + 1, SCALES]."""
    found = torch.zeros(PLANES + 1, SCALES)
    for level in range(1, LEVELS + 1):
        rate = rate_of(networks, latent, level)
        found[plane_and_tier(level)[0]] += rate.level.float().cpu()
        found[0] = rate.base.float().cpu()
    return found


def _at(scale: int, value: Tensor) -> Tensor:
    """The value of one scale among those of all, [SCALES]."""
    return F.pad(value[None], (scale, SCALES - 1 - scale))


def _blocks(scales: list[Tensor]) -> list[Tensor]:
    return [to_blocks(t, side) for t, side in zip(scales, BLOCK_SIDES, strict=True)]
