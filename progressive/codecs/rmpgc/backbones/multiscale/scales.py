"""Scales, bands and planes of the latent.

The latent has seven scales: the lowest band, then the detail of each level of the transform, coarsest first. A position
of scale i covers `STRIDES[i]` pixels square; a block has one position of the coarsest scales.
"""

from __future__ import annotations

from progressive.codecs.rmpgc.layout import BLOCK, Depth, Layout

SCALES = 7
STRIDES = (64, 64, 32, 16, 8, 4, 2)
"""Pixels a position, coarsest scale first."""

COLOUR_CHANNELS = ((1, 1, 1), *[(3, 3, 3)] * 5, (3, 0, 0))
"""Coefficients a position of luma and of each opponent colour: bands of detail; the finest ones only of luma."""

CHANNELS = tuple(sum(each) for each in COLOUR_CHANNELS)
LUMA = tuple(each[0] for each in COLOUR_CHANNELS)

BLOCK_SIDES = tuple(BLOCK // s for s in STRIDES)
"""Side of a block in positions of each scale."""

PLANES = 4
"""Enhance planes; plane 0 is the base."""

TIERS = 2
"""Steps in which a block takes a plane: first the symbols that are likely to be worth their bits, then the others."""

LEVELS = PLANES * TIERS
"""Steps that a block can take beyond the base."""

DEPTH = Depth(SCALES, PLANES, TIERS)


def plane_and_tier(level: int) -> tuple[int, int]:
    """Plane (1..PLANES) and tier (0..TIERS - 1) that bring a block to this level (1..LEVELS)."""
    plane, tier = divmod(level - 1, TIERS)
    return plane + 1, tier


def layout_of(width: int, height: int) -> Layout:
    """The geometry of a photo of this size, in pixels."""
    return Layout(width, height, DEPTH)
