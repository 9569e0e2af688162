"""The conditions that a variant is trained under: U = 0, the base alone; U = B, where meaning is; U = 1, everything.

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan.variants import Variant
from progressive.segments.tiles import BLOCK
from progressive.semantics.blend import salient_partition

Importance = Callable[[Tensor], Tensor]
"""Photos [N, 3, H, W] -> how much meaning their blocks have (SIM), [N, R, K]."""

BASE, SALIENT, ALL = range(3)


def conditions_of(variant: Variant) -> tuple[int, ...]:
    """Those that losses are averaged over: of MPGC-1 none but all, MPGC-2 Eq. 23, RMPGC Eq. 34."""
    if not variant.conditioned:
        return (ALL,)
    return (BASE, SALIENT, ALL) if variant.base else (SALIENT, ALL)


def masks(photos: Tensor, variant: Variant, importance: Importance, first: int) -> Tensor:
    """A mask of blocks for each photo, whose conditions take turns from the `first` on: 0 and 1, [N, R, K]."""
    turns = conditions_of(variant)
    found = torch.ones(len(photos), *(n // BLOCK for n in photos.shape[2:]), device=photos.device)
    for number in range(len(photos)):
        condition = turns[(first + number) % len(turns)]
        if condition == BASE:
            found[number] = 0
        elif condition == SALIENT:
            meaning = importance(photos[number : number + 1])[0].cpu().numpy()
            found[number] = torch.from_numpy(salient_partition(meaning)).to(found)
    return found
