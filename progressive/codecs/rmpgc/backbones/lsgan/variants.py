"""The paper's three schemes on one backbone (RMPGC section IV-B and IV-C)."""

from __future__ import annotations

from dataclasses import dataclass

from progressive.codecs.rmpgc.backbones.masked.latent import LayerShape
from progressive.codecs.rmpgc.layout import BLOCK

CELL = 8
"""Pixels a position along each side: K of the paper."""

SIDE = BLOCK // CELL
"""Positions along a side of a block."""

CHANNELS = 8
"""C of the paper."""


@dataclass(frozen=True)
class Variant:
    """How a latent becomes layers, and what the decoder is told.

    Fields:
        name: in the paper.
        base: C_b, how many channels the base has; 0 for latents without layers, whose base is the channels' mean.
        conditioned: whether encoder and decoder are trained under masks, and the decoder sees the mask (U).
    """

    name: str
    base: int
    conditioned: bool

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Each channel of the base is a stage; the mean is the only one of latents without layers."""
        stages = max(self.base, 1)
        return (*(((1, SIDE),) for _ in range(stages)), ((CHANNELS - self.base, SIDE),))

    @property
    def coded_channels(self) -> int:
        """Channels that are coded in all layers."""
        return max(self.base, 1) + CHANNELS - self.base


VARIANTS = {
    "mpgc-1": Variant("MPGC-1", base=0, conditioned=False),
    "mpgc-2": Variant("MPGC-2", base=0, conditioned=True),
    "rmpgc": Variant("RMPGC", base=2, conditioned=True),
}
