"""The conditions that the decoder learns under: U = 0, B and 1 (RMPGC section IV-D, Eq. 34 and 35).

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from progressive.semantics.blend import salient_partition

NOTHING, SALIENT, EVERYTHING = range(3)
"""The base alone; the enhance layer where meaning is; everywhere."""


def drawn_conditions(count: int, rng: np.random.Generator) -> list[int]:
    """Conditions for so many photos: all three as often as can be, in an order of chance."""
    first = int(rng.integers(3))
    return [int(each) for each in rng.permutation((first + np.arange(count)) % 3)]


def blocks_under(conditions: list[int], importance: Tensor) -> Tensor:
    """Which blocks have the enhance layer, bool [N, R, K].

    Args:
        conditions: of each photo.
        importance: the SIM of blocks, [N, R, K]; B is what is above Otsu's threshold.
    """
    found = torch.zeros(importance.shape, dtype=torch.bool)
    for photo, condition in enumerate(conditions):
        if condition == SALIENT:
            found[photo] = torch.from_numpy(salient_partition(importance[photo].float().cpu().numpy()))
        elif condition == EVERYTHING:
            found[photo] = True
    return found.to(importance.device)
