"""The rate of RMPGC's symbols under its probability networks, differentiable: the loss of their training.

The networks learn from the bits of the symbols as they are. The transform learns from **marginal** bits: zero, with the
gradient towards the neighbouring symbol (`rmpgc_relaxation`).

A plane comes in two tiers (`progressive.codecs.rmpgc.tile`), and what its networks see differs between them. In
training a block is coded as the one or the other by chance, and its bits count twice.

Legend: N photos or blocks; C coefficients a position; h x w positions; R x K blocks of a photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LUMA, PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.quantiser import narrowing_gain, outer_gain
from progressive.training.rmpgc_relaxation import Crossing, crossing

LOG_SCALE_RANGE = (-3.2, 4.0)

SURE = 30.0
"""Log-odds of what cannot be otherwise: the upper half of a bin lies outward."""

FIRST_SLOPES = (0.118, 0.127, 0.142, 0.126)
"""Of each plane: symbols that are expected to remove more squared error a bit come first. Measured so that these are
half of the bits; the stored tables have thresholds of their own."""


def base_bits(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of base indices under a Laplace distribution over them, elementwise."""
    scale = torch.exp(log_scale.clamp(*LOG_SCALE_RANGE))
    distance = (index - mean).abs()
    outside = -(distance - 0.5).clamp(min=0) / scale + torch.log1p(-torch.exp(-1 / scale) * (1 - 1e-6)) - math.log(2)
    near = distance.clamp(max=0.5)
    inside = torch.log1p(-(torch.exp((near - 0.5) / scale) + torch.exp(-(near + 0.5) / scale)).clamp(max=2 - 1e-6) / 2)
    return torch.where(distance < 0.5, inside, outside) / -math.log(2)


def plane_bits(symbols: Tensor, parents: Tensor, parameters: Tensor) -> Tensor:
    """Bits of plane symbols {-1, 0, 1} given their parent indices, elementwise; parameters [N, 3 or 4, C, h, w]."""
    zero, sign = _odds(parents, parameters)
    coded = symbols.abs()
    return (F.softplus(zero) - coded * zero + coded * F.softplus(-sign * symbols)) / math.log(2)


def _odds(parents: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Log-odds of a symbol that is not zero, and of the sign being plus."""
    inside = parents == 0
    zero = torch.where(inside, parameters[:, 0], parameters[:, 2])
    outward = parameters[:, 3] if parameters.shape[1] == 4 else SURE
    sign = torch.where(inside, parameters[:, 1], outward * torch.sign(parents))
    return zero, sign


def expected_slope(parents: Tensor, parameters: Tensor) -> Tensor:
    """Squared error that a plane's symbols remove a bit, in units of the plane's own scale, elementwise."""
    zero, sign = _odds(parents, parameters)
    coded, outward = torch.sigmoid(zero), torch.sigmoid(sign)
    bits = _entropy(coded) + coded * _entropy(outward)
    parts = parameters.shape[1] - 1
    return torch.where(parents == 0, coded * outer_gain(parts), narrowing_gain(parts)) / bits


def _entropy(probability: Tensor) -> Tensor:
    """Bits of a yes or no."""
    p = probability.clamp(1e-6, 1 - 1e-6)
    return -(p * torch.log2(p) + (1 - p) * torch.log2(1 - p))


@dataclass
class BaseLoss:
    """A pass coder of the base for training: hands out the true indices and adds up the bits, [N].

    Fields:
        index: of the scale, [N, C, h, w].
        luma: how many of the coefficients are luma.
        crossing: to the neighbouring indices; without it no marginal bits are counted.
        bits, marginal: the sums so far.
    """

    index: Tensor
    luma: int
    crossing: Crossing | None = None
    bits: Tensor | float = 0.0
    marginal: Tensor | float = 0.0

    def __call__(self, number: int, parameters: Tensor) -> Tensor:
        chosen = slice(self.luma) if number < 2 else slice(self.luma, None)
        index, mean, log_scale = self.index[:, chosen], parameters[:, 0], parameters[:, 1]
        mask = checkerboard(index, number) if number < 2 else torch.ones((), device=index.device)
        bits = mask * base_bits(index, mean, log_scale)
        self.bits = self.bits + bits.sum((1, 2, 3))
        if self.crossing is not None:
            with torch.no_grad():
                neighbours = index + self.crossing.direction[:, chosen]
                difference = mask * base_bits(neighbours, mean, log_scale) - bits
            self.marginal = self.marginal + (self.crossing.share[:, chosen] * difference).sum((1, 2, 3))
        return index * mask


@dataclass
class Rate:
    """What some photos take.

    Fields:
        bits: of each plane by scale, [N, SCALES].
        indices: of each plane, a tensor a scale.
        tiers: of each enhance plane, a tensor a scale [N, C, h, w]: True for symbols that come second.
        marginal_base: marginal bits of the base, [N]; empty unless asked for, as the next.
        marginal: those of each enhance plane, of the tier that was coded, [N, R, K].
    """

    bits: list[Tensor] = field(default_factory=list)
    indices: list[list[Tensor]] = field(default_factory=list)
    tiers: list[list[Tensor]] = field(default_factory=list)
    marginal_base: Tensor = field(default_factory=lambda: torch.empty(0))
    marginal: list[Tensor] = field(default_factory=list)


def bits_of_planes(
    networks: ProbabilityNetworks, latent: list[Tensor], planes: int = PLANES
) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Bits of each plane and scale of some photos, both tiers of every block coded.

    Args:
        latent: of N photos, five scales.
        planes: how many enhance planes to code.
    Returns:
        bits [plane][N, scale]; indices [plane][scale].
    """
    rate, contexts = _base_rate(networks, latent, marginal=False)
    late = torch.zeros(contexts[0].shape[0], dtype=torch.bool, device=latent[0].device)
    for plane in range(1, planes + 1):
        first = PlaneLoss(networks, latent, contexts, plane, late)
        first.code(rate.indices[-1])
        second = PlaneLoss(networks, latent, contexts, plane, ~late)
        rate.indices.append(second.code(rate.indices[-1], first.tiers))
        rate.bits.append(first.bits + second.bits)
    return rate.bits, rate.indices


def rate_of_planes(
    networks: ProbabilityNetworks, latent: list[Tensor], late: Tensor, *, marginal: bool = False
) -> Rate:
    """An estimate of what photos take: of each block one tier of every plane, which counts for both.

    Args:
        latent: of N photos, five scales.
        late: the blocks whose second tier is coded, bool [N, R, K].
        marginal: for a gradient to the latent.
    """
    rate, contexts = _base_rate(networks, latent, marginal=marginal)
    for plane in range(1, PLANES + 1):
        cost = PlaneLoss(networks, latent, contexts, plane, late.flatten(), moving=marginal)
        rate.indices.append(cost.code(rate.indices[-1]))
        rate.bits.append(TIERS * cost.bits)
        rate.tiers.append([unblocked(t, *late.shape) for t in cost.tiers])
        if marginal:
            rate.marginal.append(TIERS * cost.marginal.view(late.shape))
    return rate


def _base_rate(networks: ProbabilityNetworks, latent: list[Tensor], *, marginal: bool) -> tuple[Rate, list[Tensor]]:
    """The base's rate, and the contexts of all blocks that follow from it."""
    rate = Rate()
    index = [quantiser.base_index(y.detach()).contiguous(memory_format=torch.channels_last) for y in latent]
    chain: list[Tensor] = []
    coders: list[BaseLoss] = []
    for scale in range(SCALES):
        coder = BaseLoss(index[scale], LUMA[scale], crossing(latent[scale], index[scale], 0) if marginal else None)
        features = networks.chain_features(scale, chain[-1] if chain else None, index[0])
        chain.append(networks.code_base(scale, features, coder)[1])
        coders.append(coder)
    rate.bits.append(torch.stack([torch.as_tensor(c.bits) for c in coders], 1))
    rate.indices.append(index)
    if marginal:
        rate.marginal_base = torch.stack([torch.as_tensor(c.marginal) for c in coders]).sum(0)
    return rate, [blocks_of(c, side) for c, side in zip(networks.contexts(chain), BLOCK_SIDES, strict=True)]


class PlaneLoss:
    """Codes one tier of one plane of B blocks, with true symbols, and adds up the bits.

    Args:
        latent: of N photos.
        contexts: of the blocks, five scales [B, W, s, s].
        late: the blocks whose second tier is coded, bool [B].
        moving: count marginal bits.

    Attributes:
        bits: [N, SCALES].
        marginal: [B].
        tiers: of each scale, True for symbols that come second, [B, C, s, s].
    """

    def __init__(
        self,
        networks: ProbabilityNetworks,
        latent: list[Tensor],
        contexts: list[Tensor],
        plane: int,
        late: Tensor,
        *,
        moving: bool = False,
    ) -> None:
        self._networks, self._latent, self._contexts, self._plane = networks, latent, contexts, plane
        self._late, self._which = late.view(-1, 1, 1, 1), late.nonzero()[:, 0]
        self._moving = moving
        self.bits = latent[0].new_zeros(len(latent[0]), SCALES)
        self.marginal = latent[0].new_zeros(len(late))
        self.tiers: list[Tensor] = []

    def code(self, parents: list[Tensor], tiers: list[Tensor] | None = None) -> list[Tensor]:
        """Codes all scales; returns the plane's indices. The networks decide on the tiers unless these are given."""
        carried: Tensor | None = None
        indices, bits = [], []
        for scale, side in enumerate(BLOCK_SIDES):
            symbols = quantiser.refine(self._latent[scale].detach(), parents[scale], self._plane)
            indices.append(quantiser.child_of(parents[scale], symbols, self._plane))
            inside, parent = blocks_of(symbols, side), blocks_of(parents[scale], side)
            features = self._networks.plane_features(self._plane, scale, self._contexts[scale], parent, carried)
            parameters, later, seen = self._look(scale, features, inside, parent, tiers)
            coded = later == self._late
            cost = coded * plane_bits(inside, parent, parameters)
            bits.append(cost.sum((1, 2, 3)).view(len(self.bits), -1).sum(1))
            if self._moving:
                self._count_marginal(scale, indices[-1], inside, parent, parameters, coded, cost)
            self.tiers.append(later)
            carried = self._networks.carry(self._plane, scale, features, seen)
        self.bits = torch.stack(bits, 1)
        return indices

    def _look(
        self, scale: int, features: Tensor, symbols: Tensor, parents: Tensor, tiers: list[Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Parameters of all symbols as the tier sees them [B, 4, C, s, s], tiers, and the symbols known afterwards."""
        luma = LUMA[scale]
        even, odd = (checkerboard(symbols, colour) for colour in (0, 1))
        first = self._parameters(scale, 0, features, None)
        if tiers is None:
            with torch.no_grad():
                blank = self._parameters(scale, 2, features, torch.zeros_like(symbols[:, :luma]))
                slopes = expected_slope(parents, torch.cat([first, blank], 2))
            later = slopes < FIRST_SLOPES[self._plane - 1]
        else:
            later = tiers[scale]
        known = symbols * (self._late | ~later)
        at_even = first
        if len(self._which):
            before = (symbols * ~later)[self._which, :luma] * odd
            looked = self._parameters(scale, 1, features[self._which], before)
            at_even = first.index_copy(0, self._which, looked)
        at_odd = self._parameters(scale, 1, features, known[:, :luma] * even)
        chroma = self._parameters(scale, 2, features, known[:, :luma])
        return torch.cat([torch.where(even.bool(), at_even, at_odd), chroma], 2), later, known

    def _parameters(self, scale: int, number: int, features: Tensor, luma: Tensor | None) -> Tensor:
        ready = None if luma is None else luma.contiguous(memory_format=torch.channels_last)
        return self._networks.pass_parameters(self._plane, scale, number, features, ready)

    def _count_marginal(
        self,
        scale: int,
        index: Tensor,
        symbols: Tensor,
        parents: Tensor,
        parameters: Tensor,
        coded: Tensor,
        cost: Tensor,
    ) -> None:
        side = BLOCK_SIDES[scale]
        step = crossing(self._latent[scale], index, self._plane)
        step = Crossing(blocks_of(step.direction, side), blocks_of(step.share, side)).within(
            symbols, parents, self._plane
        )
        with torch.no_grad():
            difference = coded * plane_bits(symbols + step.direction, parents, parameters) - cost
        self.marginal = self.marginal + (step.share * difference).sum((1, 2, 3))


def checkerboard(like: Tensor, colour: int) -> Tensor:
    """1 on one colour of a checkerboard over [h, w], 0 on the other."""
    rows, columns = (torch.arange(n, device=like.device) for n in like.shape[-2:])
    return ((rows[:, None] + columns) % 2 == colour).to(like.dtype)


def blocks_of(tensor: Tensor, side: int) -> Tensor:
    """[N, C, rows * side, columns * side] -> [N * rows * columns, C, side, side], channels_last."""
    count, channels, height, width = tensor.shape
    grid = tensor.reshape(count, channels, height // side, side, width // side, side)
    blocks = grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)
    return blocks.contiguous(memory_format=torch.channels_last)


def unblocked(blocks: Tensor, count: int, rows: int, columns: int) -> Tensor:
    """The inverse of `blocks_of`."""
    channels, side = blocks.shape[1:3]
    grid = blocks.reshape(count, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(count, channels, rows * side, columns * side)
