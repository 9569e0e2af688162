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

BASE, CHANNELS = 32, 192
"""Channels of the base, and of the enhance layer, which is all coefficients."""

BASE_GROUPS = (slice(0, 1), slice(1, 8), slice(8, BASE))
"""The base's channels as they are coded, one group after the other: brightness first, then what it foretells."""

FIRST_STAGE = 2
"""Groups of the base's first stage; its second one has the others."""

GROUPS = (slice(0, BASE), slice(BASE, 64), slice(64, 112), slice(112, CHANNELS))
"""The enhance layer's channels as they are coded."""

HYPER_CHANNELS = 8
HYPER_REACH = 7
"""Hyperpriors have one position a block; their symbols are -7..7."""


def size(group: slice) -> int:
    """Channels of a group."""
    return int(group.stop - group.start)


PARTS = (
    ((HYPER_CHANNELS, 1), *((size(group), SIDE) for group in BASE_GROUPS[:FIRST_STAGE])),
    tuple((size(group), SIDE) for group in BASE_GROUPS[FIRST_STAGE:]),
    ((HYPER_CHANNELS, 1), *((size(group), SIDE) for group in GROUPS)),
)
"""Channels, and positions of a block's side, of the parts of each layer: two stages of the base, and the enhance."""

ENHANCE = 2
"""The number of the enhance layer."""
