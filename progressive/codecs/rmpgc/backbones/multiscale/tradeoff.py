"""What coefficients cost at a plane, in bits and squared error, with gradients: what an encoder trades for each other.

What a coefficient costs is a staircase; averaged over small shifts every stair is a ramp, so a coefficient near the
edge of its bin pays a share of what the neighbouring bin would cost. A straight-through gradient does not know that
leaving the dead zone costs bits.

Legend: N photos; B blocks of all of them, a photo's one after the other; C coefficients a position; h x w positions of
a scale, s x s of a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.ideal import FIRST_SLOPES, base_bits, expected_slope, plane_bits
from progressive.codecs.rmpgc.backbones.multiscale.probability import (
    BASE_PARAMETERS,
    MEAN_STEPS,
    ODDS_STEPS,
    PLANE_PARAMETERS,
    ProbabilityNetworks,
)
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import SPLITS, bin_of, child_of, reach, width_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, PLANES, TIERS
from progressive.codecs.rmpgc.blocks import from_blocks, to_blocks
from progressive.exact.passes import Place

BITS_OF_ERROR = 13.0
"""Bits for a unit of squared error, with bins of width one: the slope that the codec's own rate-distortion curve has at
each plane. At high rates it would be 6 / ln 2 = 8.7; with that details are given up for bits at a loss."""

RAMP = 0.5
"""Width of the ramps from bin to bin, as a share of a bin's: narrow ones are truer, wide ones reach more."""

INSET = 0.01
"""How far from the ends of a bin a value is put that is to lie in it, as a share of its width."""

LEAST_BITS = 200.0
"""Of a photo: what takes fewer counts as if it took so many."""

SIZES = 3
"""Kinds of indices by size that are read differently: 1, 2, and all that are larger."""


def slope_at(plane: int) -> float:
    """Bits that a unit of squared error is worth at a plane, with samples of 0..1."""
    return BITS_OF_ERROR / width_of(plane) ** 2


Scales = list[Tensor]
"""All scales of photos, [N, C, h, w] each."""


@dataclass(frozen=True)
class Cost:
    """What photos cost at a plane, [N] each, and what a decoder reads.

    Fields:
        bits: of the base and the planes up to this one.
        marginal: zero, with the gradient of what crossing to neighbouring bins would cost.
        bend: the same for the squared error.
        values: of all scales, [N, C, h, w], with gradients to the coefficients.
    """

    bits: Tensor
    marginal: Tensor
    bend: Tensor
    values: Scales

    def traded(self, error: Tensor, plane: int) -> Tensor:
        """Bits and errors as one, relative to what they are: all photos and planes count alike; [N].

        `error` is squared and summed over samples of 0..1.
        """
        spent = LEAST_BITS + self.bits + slope_at(plane) * error
        return self.in_bits(error, plane) / spent.detach()

    def in_bits(self, error: Tensor, plane: int) -> Tensor:
        """What neighbouring bins and an error are worth in bits; of the former there are gradients alone."""
        return self.marginal + slope_at(plane) * (error + self.bend)


def reading_of(latent: Scales) -> Tensor:
    """How far inside their bins coefficients lie on average, as a share of the width, by plane and size, [P + 1, 3]."""
    found = torch.full((PLANES + 1, SIZES), 0.5)
    flat = torch.cat([y.detach().abs().flatten() for y in latent])
    index = quantiser.base_index(flat)
    for plane in range(PLANES + 1):
        near, far = bin_of(index, plane)
        share = ((flat - near) / (far - near)).clamp(0, 1)
        for number in range(SIZES):
            chosen = index >= SIZES if number == SIZES - 1 else index == number + 1
            if chosen.any():
                found[plane, number] = share[chosen].mean()
        if plane < PLANES:
            index = child_of(index, quantiser.refine(flat, index, plane + 1), plane + 1)
    return found


def said_of(networks: ProbabilityNetworks, latent: Scales, plane: int) -> list[Scales]:
    """What the networks say of every coefficient as long as photos are coded up to a plane.

    Args:
        networks: in training, or exact ones.
    Returns:
        of the base [B, 2, C, s, s] and of each plane [B, 4, C, s, s], all scales.
    """
    with torch.no_grad():
        return _said_of(networks, _indices_of([y.detach() for y in latent], plane))


def cost_of(said: list[Scales], latent: Scales, plane: int, reading: Tensor) -> Cost:
    """What photos cost at a plane, if all of their blocks have it; the networks get no gradients.

    Args:
        said: what they say of these photos, or of ones that hardly differ (`said_of`), up to the plane or further.
        reading: as `reading_of` gives it.
    """
    with torch.no_grad():
        indices = _indices_of([y.detach() for y in latent], plane)
    count = len(latent[0])
    bits = marginal = bend = latent[0].new_zeros(count)
    values: Scales = []
    for scale, side in enumerate(BLOCK_SIDES):
        coefficients = to_blocks(latent[scale], side)
        index = to_blocks(indices[plane][scale], side)
        read = _values(index, plane, reading)
        share, neighbour = _neighbours(coefficients, index, plane)
        with torch.no_grad():
            own = _chain_bits(index, plane, [planes[scale] for planes in said])
            more = _chain_bits(neighbour, plane, [planes[scale] for planes in said]) - own
            leap = _values(neighbour, plane, reading) - read
        share = share - share.detach()
        each = (_by_photo(t, count) for t in (own, share * more, share * leap.square()))
        bits, marginal, bend = (total + new for total, new in zip((bits, marginal, bend), each, strict=True))
        shape = latent[scale].shape
        values.append(from_blocks(read + share * leap, shape[2] // side, shape[3] // side))
    return Cost(bits, marginal, bend, values)


def kept_near(latent: Scales, moved: Scales, plane: int) -> Scales:
    """The values next to a latent in the bins of a plane that moved ones lie in: what finer planes alone see of a move
    is taken back."""
    found = []
    for y, target in zip(latent, moved, strict=True):
        near, far = bin_of(_indices_of([target], plane)[plane][0], plane)
        inset = INSET * (far - near)
        found.append(torch.minimum(torch.maximum(y, near + inset), far - inset))
    return found


def _neighbours(coefficients: Tensor, index: Tensor, plane: int) -> tuple[Tensor, Tensor]:
    """To what share coefficients belong to a neighbouring bin, 0 to 1/2, and its index."""
    side = torch.where(index == 0, torch.sign(coefficients.detach()), torch.sign(index))
    near, far = bin_of(index.abs(), plane)
    ramp = RAMP * width_of(plane)
    at = coefficients * side
    above = (at - far) / ramp + 0.5
    below = torch.where(index != 0, (near - at) / ramp + 0.5, -1.0)
    share = torch.maximum(above, below).clamp(0, 0.5)
    outward = torch.where(above > below, 1.0, -1.0) * side
    neighbour = (index + outward * (share > 0)).detach().clamp(-reach(plane), reach(plane))
    return share, neighbour


def _values(index: Tensor, plane: int, reading: Tensor) -> Tensor:
    size = index.abs()
    near, far = bin_of(size, plane)
    share = reading.to(size)[plane][(size.long() - 1).clamp(0, SIZES - 1)]
    return torch.sign(index) * (near + share * (far - near)) * (size > 0)


def _chain_bits(index: Tensor, plane: int, said: list[Tensor]) -> Tensor:
    """Bits of indices of a plane and all that come before them, elementwise."""
    total = torch.zeros_like(index)
    for finer in range(plane, 0, -1):
        parts = SPLITS[finer - 1]
        parent = torch.trunc(index / parts) if parts == 2 else torch.round(index / parts)
        total = total + plane_bits(index - parts * parent, parent, said[finer], finer)
        index = parent
    return total + base_bits(index, *said[0].unbind(1))


def _indices_of(latent: Scales, plane: int) -> list[Scales]:
    """Of planes 0 to this one."""
    found = [[quantiser.base_index(y) for y in latent]]
    for finer in range(1, plane + 1):
        before = found[-1]
        split = [quantiser.refine(y, n, finer) for y, n in zip(latent, before, strict=True)]
        found.append([child_of(n, s, finer) for n, s in zip(before, split, strict=True)])
    return found


def _said_of(networks: ProbabilityNetworks, indices: list[Scales]) -> list[Scales]:
    training = networks.kernel == "training"
    contexts, base, before = [], [], None
    for scale, side in enumerate(BLOCK_SIDES):
        index = indices[0][scale]
        stage = _BaseParameters(index if training else index.to(torch.int16))
        before = networks.code_base(scale, before, indices[0][0], stage)
        base.append(_parameters_to_blocks(stage.found, side) / (1 if training else MEAN_STEPS))
        context = to_blocks(before, side)
        contexts.append(context if training else context.to(torch.uint8))
    said = [base]
    blocks = [[to_blocks(n, side) for n, side in zip(scales, BLOCK_SIDES, strict=True)] for scales in indices]
    for plane in range(1, len(indices)):
        parents = blocks[plane - 1]
        symbols = [n - SPLITS[plane - 1] * p for n, p in zip(blocks[plane], parents, strict=True)]
        if not training:
            parents, symbols = [p.to(torch.int16) for p in parents], [s.to(torch.int8) for s in symbols]
        unit = 1 if training else ODDS_STEPS
        level = _PlaneParameters(plane, symbols, parents, unit)
        for tier in range(TIERS):
            level.tier = tier
            networks.code_level((plane - 1) * TIERS + tier + 1, contexts, parents, level)
        said.append([found / unit for found in level.found])
    return said


@dataclass
class _BaseParameters:
    """A pass coder of the base that hands out the true indices of a scale and keeps what is said of them."""

    index: Tensor
    found: Tensor = field(init=False)

    def __post_init__(self) -> None:
        count, channels, height, width = self.index.shape
        self.found = torch.zeros(count, BASE_PARAMETERS, channels, height, width, device=self.index.device)

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        for number in range(BASE_PARAMETERS):
            place.write_coefficients(parameters[:, number].float(), self.found[:, number])
        return place.coefficients(self.index)


@dataclass
class _PlaneParameters:
    """A level coder that hands out the true symbols of a plane, tier by tier, and keeps what is said of them."""

    plane: int
    symbols: list[Tensor]
    parents: list[Tensor]
    unit: int
    tier: int = 0
    later: list[Tensor] = field(default_factory=list)
    found: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.found = [
            torch.zeros(len(s), PLANE_PARAMETERS, *s.shape[1:], device=s.device).contiguous() for s in self.symbols
        ]

    @property
    def looks(self) -> bool:
        return self.tier == 0

    def looked(self, scale: int, parameters: Tensor) -> None:
        zero = parameters[:, 0].float() / self.unit
        self.later.append(expected_slope(self.parents[scale], zero, self.plane) < FIRST_SLOPES[self.plane - 1])

    def known(self, scale: int) -> Tensor:
        symbols = self.symbols[scale]
        return symbols * ~self.later[scale] if self.tier else torch.zeros_like(symbols)

    def coded(self, scale: int) -> None:
        return None

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        symbols, later = (place.coefficients(t[place.scale]) for t in (self.symbols, self.later))
        here = later == bool(self.tier)
        for number in range(PLANE_PARAMETERS):
            kept = self.found[place.scale][:, number]
            new = torch.where(here, parameters[:, number].float(), place.coefficients(kept))
            place.write_coefficients(new, kept)
        return symbols if self.tier else symbols * here


def _parameters_to_blocks(parameters: Tensor, side: int) -> Tensor:
    """[N, P, C, h, w] -> [B, P, C, s, s]."""
    blocks = to_blocks(parameters.flatten(1, 2), side)
    return blocks.reshape(len(blocks), *parameters.shape[1:3], side, side)


def _by_photo(values: Tensor, count: int) -> Tensor:
    """Sums of values [B, ...] of each photo, [N]."""
    return values.reshape(count, -1).sum(1)
