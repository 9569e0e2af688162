"""The latent's channels in groups, coarse to fine: each is a layer of the stream.

A cell of 16x16 pixels has `CHANNELS` coefficients of a transform, those with most energy first. The first group is a
tile's as a whole, the others are coded block by block.
"""

from __future__ import annotations

ENDS = (6, 16, 32, 64)
"""Where each group ends among the channels."""

CHANNELS = ENDS[-1]
GROUPS = tuple(slice(first, end) for first, end in zip((0, *ENDS[:-1]), ENDS, strict=True))

ROOT = 0
"""The first group, which comes with the label map and the hyperprior."""

FIRST = ENDS[0]
"""Channels of the first group."""


def size(group: int) -> int:
    """Channels of a group."""
    return GROUPS[group].stop - GROUPS[group].start
