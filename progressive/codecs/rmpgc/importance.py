"""How much each block matters for what the picture is for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.layout import Layout
from progressive.semantics.coarse_map import CoarseMap

EMPHASIS = {"classify": 2.5, "reconstruct": 0.0, "hybrid": 1.0}
"""How strongly the semantic importance counts in each context: the power of it that multiplies the slope."""

FLOOR = 0.1
"""The least importance: background comes last, not never."""


def block_importance(importance: CoarseMap | None, layout: Layout, context: str) -> NDArray[np.float64]:
    """The factor of each block's slope, [rows, columns], mean about 1.

    The slope already measures how complex a block is (the LCM's part in RMPGC Eq. 12), so meaning (the SIM) is what is
    left to weigh: not at all to reconstruct, most to classify.
    """
    if importance is None:
        return np.ones((layout.rows, layout.columns))
    meaning = (importance.upsampled(layout.rows, layout.columns).astype(np.float64) + FLOOR) ** EMPHASIS[context]
    return np.asarray(meaning / meaning.mean())
