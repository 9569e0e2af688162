"""The latent's channels: which layer has which, and in which parts they are coded.

A cell of 16x16 pixels has `CHANNELS` coefficients of a transform, those with most energy first. The **base** has the
first `BASE` of them, coarsely. The **enhance** layer refines these, and has the others.
"""

from __future__ import annotations

from progressive.codecs.rmpgc.layout import BLOCK

CELL = 16
"""Side of a cell in pixels: a position of the latent."""

SIDE = BLOCK // CELL
"""Positions of a block's side."""

FIRST, BASE, CHANNELS = 8, 32, 128
"""Channels of the first stage of the base, of the base, and of the enhance layer, which is all coefficients."""

OTHERS = BASE - FIRST
"""Channels of the second stage of the base."""

GROUPS = (slice(0, BASE), slice(BASE, 64), slice(64, CHANNELS))
"""The enhance layer's channels as they are coded, one group after the other."""

HYPER_CHANNELS = 8
HYPER_REACH = 7
"""Hyperpriors have one position a block; their symbols are -7..7."""

PARTS = (
    ((HYPER_CHANNELS, 1), (FIRST, SIDE)),
    ((OTHERS, SIDE),),
    ((HYPER_CHANNELS, 1), *((group.stop - group.start, SIDE) for group in GROUPS)),
)
"""Channels, and positions of a block's side, of the parts of each layer: two stages of the base, and the enhance."""

ENHANCE = 2
"""The number of the enhance layer."""


def size(group: int) -> int:
    """Channels of a group."""
    return GROUPS[group].stop - GROUPS[group].start
