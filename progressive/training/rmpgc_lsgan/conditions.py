"""The conditions that a variant is trained under, one photo after the other.

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan.variants import Variant
from progressive.training.conditions import EVERYTHING, NOTHING, SALIENT, Importance, blocks_under


def conditions_of(variant: Variant) -> tuple[int, ...]:
    """Those that losses are averaged over: of MPGC-1 none but all, MPGC-2 Eq. 23, RMPGC Eq. 34."""
    if not variant.conditioned:
        return (EVERYTHING,)
    return (NOTHING, SALIENT, EVERYTHING) if variant.base else (SALIENT, EVERYTHING)


def masks(photos: Tensor, variant: Variant, importance: Importance, first: int) -> Tensor:
    """A mask of blocks for each photo, whose conditions take turns from the `first` on: 0 and 1, [N, R, K]."""
    turns = conditions_of(variant)
    chosen = [turns[(first + number) % len(turns)] for number in range(len(photos))]
    return blocks_under(chosen, photos, importance).float()
