"""The prior over whole latents in training: what they cost, and where it expects coefficients.

Legend: N photos; C coefficients, h x w positions of a scale; R x K blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, LATENTS, ROOT, Latent
from progressive.codecs.hierarchical_vae.prior import Prior
from progressive.codecs.hierarchical_vae.quantiser import ROUNDING
from progressive.codecs.hierarchical_vae.rates import STEPS
from progressive.codecs.hierarchical_vae.tile import to_blocks
from progressive.exact.passes import Place

LOG_SCALE_RANGE = (-5.5, 9.0)
"""Octaves of the scale that the tables have rows for."""


@dataclass(frozen=True)
class Expected:
    """What a walk finds.

    Fields:
        bits: of each latent and photo, [latents, N].
        values: expected coefficients of all scales, in steps, [N, C, h, w]; without gradients.
    """

    bits: Tensor
    values: list[Tensor]


def walk(
    prior: Prior,
    indices: Sequence[Tensor],
    gammas: Sequence[Tensor],
    known: Tensor,
    noisy: Sequence[Tensor] | None = None,
) -> Expected:
    """Takes whole photos through the prior.

    Args:
        indices: of all scales, [N, C, h, w].
        noisy: coefficients that were not rounded, but have as much noise as if they had been: what the bits' gradients
            pass to. A rounded one would have none where it is zero.
        gammas: of the positions of all scales, uint8 [N, h, w].
        known: how many latents each block has, [N, R, K]; of the next one it has the prior's expectation, then zero.
    """
    count, rows, columns = known.shape
    values = [torch.zeros_like(n) for n in indices]
    bits = []
    carried: Tensor | None = None
    for number, latent in enumerate(LATENTS):
        if number == ROOT:
            coder = _Coder(latent, list(indices), list(gammas), None, values, noisy)
            carried = to_blocks(prior.code(latent, None, gammas, coder), 2)
            bits.append(coder.bits)
            continue
        behind = (known - number).flatten()
        own = [
            to_blocks(n, side) if s in latent.scales else n
            for s, (n, side) in enumerate(zip(indices, BLOCK_SIDES, strict=True))
        ]
        at = [
            to_blocks(g[:, None], side)[:, 0] if s in latent.scales else g
            for s, (g, side) in enumerate(zip(gammas, BLOCK_SIDES, strict=True))
        ]
        found = [torch.zeros_like(n) if s in latent.scales else n for s, n in enumerate(own)]
        soft = None
        if noisy is not None:
            sides = zip(noisy, BLOCK_SIDES, strict=True)
            soft = [to_blocks(n, side) if s in latent.scales else n for s, (n, side) in enumerate(sides)]
        coder = _Coder(latent, own, at, behind, found, soft)
        carried = prior.code(latent, carried, at, coder)
        bits.append(coder.bits.view(count, -1).sum(1))
        for scale in latent.scales:
            channels = latent.channels(scale)
            values[scale][:, channels] = from_blocks(found[scale][:, channels], rows, columns)
    return Expected(torch.stack(bits), values)


@dataclass
class _Coder:
    """A pass coder that hands out the true indices, or where they are missing the rounded mean; adds up bits."""

    latent: Latent
    indices: Sequence[Tensor]
    gammas: Sequence[Tensor]
    behind: Tensor | None
    """Latents that each block has beyond this one's number: above zero it has this one; zero, it is the next."""
    values: list[Tensor]
    noisy: Sequence[Tensor] | None
    bits: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.bits = self.indices[self.latent.scales[0]].new_zeros(len(self.indices[self.latent.scales[0]]))

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        index = place.coefficients(self.indices[place.scale])
        mean, log_scale = parameters.float().unbind(1)
        if not place.scale:
            mean = mean / STEPS.to(mean)[place.of(self.gammas[0][:, None]).long()]
        cost = index_bits(index, mean, log_scale)
        if self.noisy is not None:
            soft = index_bits(place.coefficients(self.noisy[place.scale]), mean.detach(), log_scale.detach())
            cost = cost + soft - soft.detach()
        with torch.no_grad():
            value = centroid(index, mean, log_scale)
        known = index
        if self.behind is not None:
            behind = self.behind.repeat_interleave(place.items).view(-1, 1, 1, 1)
            cost = cost * (behind > 0)
            value = torch.where(behind > 0, value, mean.detach() * (behind == 0))
            known = torch.where(behind > 0, known, torch.round(mean.detach()))
        self.bits = self.bits + cost.reshape(len(self.bits), -1).sum(1)
        place.write_coefficients(value, self.values[place.scale])
        return known


def present(known: Tensor, scale: int) -> Tensor:
    """Which coefficients of a scale are known, of blocks that have so many latents [N, R, K], bool [N, C, h, w]."""
    side = BLOCK_SIDES[scale]
    at = known.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, None]
    parts = [(n, latent.channels(scale)) for n, latent in enumerate(LATENTS) if scale in latent.scales]
    return torch.cat([(at > n).expand(-1, own.stop - own.start, -1, -1) for n, own in parts], 1)


def index_bits(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of indices under a Laplace distribution over them, elementwise; the scale as a logarithm to base two."""
    scale = torch.exp2(log_scale.clamp(*LOG_SCALE_RANGE))
    distance = (index - mean).abs()
    outside = -(distance - 0.5).clamp(min=0) / scale + torch.log1p(-torch.exp(-1 / scale) * (1 - 1e-6)) - math.log(2)
    near = distance.clamp(max=0.5)
    inside = torch.log1p(-(torch.exp((near - 0.5) / scale) + torch.exp(-(near + 0.5) / scale)).clamp(max=2 - 1e-6) / 2)
    return torch.where(distance < 0.5, inside, outside) / -math.log(2)


def centroid(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Where coefficients of a Laplace distribution lie on average in the bins of their indices, elementwise."""
    scale = torch.exp2(log_scale.clamp(*LOG_SCALE_RANGE))
    index = index + (0.5 - ROUNDING) * torch.sign(index)
    away = index - mean
    # A bin beyond the mean: density falls from its near edge.
    inner = scale - 1 / torch.expm1((1 / scale).clamp(max=80))
    outside = torch.sign(away) * (inner - 0.5)
    # The bin about the mean: an even mixture of both sides, each cut at its edge.
    above, below = (0.5 + away).clamp(0, 1), (0.5 - away).clamp(0, 1)
    mass = [1 - torch.exp(-edge / scale) for edge in (above, below)]
    moment = [scale * m - edge * torch.exp(-edge / scale) for m, edge in zip(mass, (above, below), strict=True)]
    inside = (moment[0] - moment[1]) / (mass[0] + mass[1]).clamp(min=1e-6) - away
    return index + torch.where(away.abs() < 0.5, inside, outside)


def from_blocks(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `to_blocks`: [N * rows * columns, C, s, s] -> [N, C, rows * s, columns * s]."""
    grid = torch.unflatten(blocks, 0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)
