"""The rate of RMPGC's symbols under its probability networks, differentiable: the loss of their training.

The networks learn from the bits of the symbols as they are. The transform learns from **relaxed** bits: symbols are
taken to lie where the coefficients are, so that the rate changes with them as it does on average over small shifts.

Legend: N photos or blocks; C coefficients a position; h x w positions; R x K blocks of a photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LUMA, PARTS, PLANES, SCALES
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.training.rmpgc_relaxation import base_position, plane_position

LOG_SCALE_RANGE = (-3.2, 4.0)


def base_bits(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of base indices under a Laplace distribution over them, elementwise."""
    scale = torch.exp(log_scale.clamp(*LOG_SCALE_RANGE))
    distance = (index - mean).abs()
    outside = -(distance - 0.5).clamp(min=0) / scale + torch.log1p(-torch.exp(-1 / scale) * (1 - 1e-6)) - math.log(2)
    near = distance.clamp(max=0.5)
    inside = torch.log1p(-(torch.exp((near - 0.5) / scale) + torch.exp(-(near + 0.5) / scale)).clamp(max=2 - 1e-6) / 2)
    return torch.where(distance < 0.5, inside, outside) / -math.log(2)


def plane_bits(symbols: Tensor, parents: Tensor, parameters: Tensor) -> Tensor:
    """Bits of plane symbols {-1, 0, 1} given their parent indices, elementwise; parameters [N, 4, C, h, w]."""
    zero, sign = _odds(parents, parameters)
    coded = symbols.abs()
    return (F.softplus(zero) - coded * zero + coded * F.softplus(-sign * symbols)) / math.log(2)


def relaxed_plane_bits(position: Tensor, parents: Tensor, parameters: Tensor) -> Tensor:
    """The bits that a position in -1..1 (`plane_position`) takes more than 0, linear between the symbols."""
    zero, sign = _odds(parents, parameters.detach())
    return position.abs() * (F.softplus(-sign * torch.sign(position.detach())) - zero) / math.log(2)


def _odds(parents: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Log-odds of a symbol that is not zero, and of the sign being plus."""
    inside = parents == 0
    zero = torch.where(inside, parameters[:, 0], parameters[:, 2])
    sign = torch.where(inside, parameters[:, 1], parameters[:, 3] * torch.sign(parents))
    return zero, sign


@dataclass
class PassLoss:
    """A pass coder for training: hands out the true symbols and adds up the bits, [N].

    Fields:
        symbols: of the scale, [N, C, h, w].
        luma: how many of the coefficients are luma.
        parents: indices of the plane before; None in the base.
        position: where the coefficients lie among the symbols, with a gradient; without it no relaxed bits are counted.
        bits, relaxed: the sums so far.
    """

    symbols: Tensor
    luma: int
    parents: Tensor | None = None
    position: Tensor | None = None
    bits: Tensor | float = 0.0
    relaxed: Tensor | float = 0.0

    def __call__(self, number: int, parameters: Tensor) -> Tensor:
        chosen = slice(self.luma) if number < 2 else slice(self.luma, None)
        symbols = self.symbols[:, chosen]
        mask = checkerboard(symbols, number) if number < 2 else torch.ones((), device=symbols.device)
        self.bits = self.bits + (mask * self._bits(symbols, chosen, parameters)).sum((1, 2, 3))
        if self.position is not None:
            relaxed = self._relaxed_bits(self.position[:, chosen], chosen, parameters)
            self.relaxed = self.relaxed + (mask * relaxed).sum((1, 2, 3))
        return symbols * mask

    def _bits(self, symbols: Tensor, chosen: slice, parameters: Tensor) -> Tensor:
        if self.parents is None:
            return base_bits(symbols, parameters[:, 0], parameters[:, 1])
        return plane_bits(symbols, self.parents[:, chosen], parameters)

    def _relaxed_bits(self, position: Tensor, chosen: slice, parameters: Tensor) -> Tensor:
        if self.parents is None:
            return base_bits(position, parameters[:, 0].detach(), parameters[:, 1].detach())
        return relaxed_plane_bits(position, self.parents[:, chosen], parameters)


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


@dataclass
class Rate:
    """What some photos take.

    Fields:
        bits: of each plane by scale, [N, SCALES].
        indices: of each plane, a tensor a scale.
        relaxed_base: relaxed bits of the base, [N]; empty unless asked for, as the next.
        relaxed_levels: those of each level (1..LEVELS) and block, [N, R, K].
    """

    bits: list[Tensor] = field(default_factory=list)
    indices: list[list[Tensor]] = field(default_factory=list)
    relaxed_base: Tensor = field(default_factory=lambda: torch.empty(0))
    relaxed_levels: list[Tensor] = field(default_factory=list)


def bits_of_planes(
    networks: ProbabilityNetworks, latent: list[Tensor], planes: int = PLANES
) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Bits of each plane and scale of some photos.

    Args:
        latent: of N photos, five scales.
        planes: how many enhance planes to code.
    Returns:
        bits [plane][N, scale]; indices [plane][scale].
    """
    rate = rate_of_planes(networks, latent, planes=planes)
    return rate.bits, rate.indices


def rate_of_planes(
    networks: ProbabilityNetworks, latent: list[Tensor], *, planes: int = PLANES, relaxed: bool = False
) -> Rate:
    """What the base and the first enhance planes of some photos take; `relaxed` for a gradient to the latent."""
    rate = Rate()
    chain = _code_base(networks, latent, rate, relaxed=relaxed)
    contexts = [blocks_of(c, side) for c, side in zip(networks.contexts(chain), BLOCK_SIDES, strict=True)]
    for plane in range(1, planes + 1):
        _code_plane(networks, latent, contexts, plane, rate, relaxed=relaxed)
    return rate


def _code_base(networks: ProbabilityNetworks, latent: list[Tensor], rate: Rate, *, relaxed: bool) -> list[Tensor]:
    """Adds the base to the rate; returns the chain's features."""
    index = [quantiser.base_index(y.detach()).contiguous(memory_format=torch.channels_last) for y in latent]
    chain: list[Tensor] = []
    coders: list[PassLoss] = []
    for scale in range(SCALES):
        coder = PassLoss(index[scale], LUMA[scale], position=base_position(latent[scale]) if relaxed else None)
        features = networks.chain_features(scale, chain[-1] if chain else None, index[0])
        chain.append(networks.code_base(scale, features, coder)[1])
        coders.append(coder)
    rate.bits.append(torch.stack([torch.as_tensor(c.bits) for c in coders], 1))
    rate.indices.append(index)
    if relaxed:
        rate.relaxed_base = torch.stack([torch.as_tensor(c.relaxed) for c in coders]).sum(0)
    return chain


def _code_plane(
    networks: ProbabilityNetworks,
    latent: list[Tensor],
    contexts: list[Tensor],
    plane: int,
    rate: Rate,
    *,
    relaxed: bool,
) -> None:
    """Adds an enhance plane to the rate."""
    photos, _, rows, columns = latent[0].shape
    carried, finer = None, []
    coders: list[PassLoss] = []
    for scale, side in enumerate(BLOCK_SIDES):
        parents = rate.indices[-1][scale]
        symbols = quantiser.refine(latent[scale].detach(), parents, plane)
        position = blocks_of(plane_position(latent[scale], parents, plane), side) if relaxed else None
        parent_blocks = blocks_of(parents, side)
        coder = PassLoss(blocks_of(symbols, side), LUMA[scale], parent_blocks, position)
        _, carried = networks.code_plane(plane, scale, contexts[scale], parent_blocks, carried, coder)
        coders.append(coder)
        finer.append(3 * parents + symbols)
    rate.bits.append(torch.stack([torch.as_tensor(c.bits).view(photos, -1).sum(1) for c in coders], 1))
    rate.indices.append(finer)
    if relaxed:
        blocks = [torch.as_tensor(c.relaxed).view(photos, rows, columns) for c in coders]
        rate.relaxed_levels += [torch.stack([blocks[scale] for scale in part]).sum(0) for part in PARTS]
