"""The hierarchy of latents: what z_1 .. z_H hold, coarse to fine (ResNet VAE Eq. 9).

All are coefficients of seven **scales**: the lowest band of a wavelet, then the detail of its six levels. A position of
a scale covers `STRIDES` pixels square and has coefficients of luma, then of both opponent colours; the finest scale has
luma alone. The first latent is all that a position of 64 pixels has; then come whole scales; from 1/8 on luma and
colours are latents of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.segments.tiles import BLOCK

MARGIN = 6
"""Blocks around a piece of a large photo that take part in its transform."""

STRIDES = (64, 64, 32, 16, 8, 4, 2)
"""Pixels a position of each scale, coarsest first."""

SCALES = len(STRIDES)
LUMA = (1, 3, 3, 3, 3, 3, 3)
COLOURS = (2, 6, 6, 6, 6, 6, 0)
"""Coefficients a position: of luma, and of both opponent colours."""

CHANNELS = tuple(luma + colours for luma, colours in zip(LUMA, COLOURS, strict=True))
BLOCK_SIDES = tuple(BLOCK // stride for stride in STRIDES)
"""Side of a block in positions of each scale."""


@dataclass(frozen=True, slots=True)
class Latent:
    """One z_i. Fields: scales that it has coefficients of; whether of luma, and of the opponent colours."""

    scales: tuple[int, ...]
    luma: bool = True
    colours: bool = True

    def channels(self, scale: int) -> slice:
        """Its coefficients among all of one of its scales."""
        return slice(0 if self.luma else LUMA[scale], CHANNELS[scale] if self.colours else LUMA[scale])

    @property
    def ends_scale(self) -> bool:
        """Whether the scale is whole with it."""
        return self.colours or not COLOURS[self.scales[-1]]


LATENTS = (
    Latent((0, 1)),
    Latent((2,)),
    Latent((3,)),
    Latent((4,), colours=False),
    Latent((4,), luma=False),
    Latent((5,), colours=False),
    Latent((5,), luma=False),
    Latent((6,), colours=False),
)

ROOT = 0
"""The first latent, which a tile has as a whole."""

BASE_LATENTS = 3
"""So many are the base layer; each of the others is an enhance layer."""


def layer_of(latent: int) -> int:
    """The layer that a latent belongs to: 0, or 1.. for the enhance layers."""
    return max(0, latent - BASE_LATENTS + 1)
