"""The conditions that masked backbones are trained under: U = 0, B and 1 (RMPGC Eq. 34 and 35).

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from progressive.segments.tiles import BLOCK
from progressive.semantics.blend import salient_partition

Importance = Callable[[Tensor], Tensor]
"""Photos [N, 3, H, W] -> how much meaning their blocks have (SIM), [N, R, K]."""

NOTHING, SALIENT, EVERYTHING = range(3)
"""The base alone; the enhance layer where meaning is; everywhere."""


def blocks_under(conditions: Sequence[int], photos: Tensor, importance: Importance) -> Tensor:
    """Which blocks have the enhance layer, bool [N, R, K]; B is where the SIM is above Otsu's threshold.

    Args:
        conditions: of each photo.
        photos: [N, 3, 64 R, 64 K].
    """
    found = torch.zeros(len(photos), *(n // BLOCK for n in photos.shape[2:]), dtype=torch.bool, device=photos.device)
    for number, condition in enumerate(conditions):
        if condition == SALIENT:
            meaning = importance(photos[number : number + 1])[0].float().cpu().numpy()
            found[number] = torch.from_numpy(salient_partition(meaning)).to(found.device)
        elif condition == EVERYTHING:
            found[number] = True
    return found
