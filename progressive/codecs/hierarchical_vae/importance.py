"""How much each block matters for what the picture is for; the order of sending follows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.segments.tiles import Layout, Window
from progressive.semantics.coarse_map import CoarseMap

EMPHASIS = {"reconstruct": 0.0, "classify": 2.5, "hybrid": 1.0}
"""How strongly meaning counts in each context: the power of it that multiplies what a byte is worth."""

FLOOR = 0.1
"""The least importance: background comes last, not never."""


def block_importance(meaning: CoarseMap, layout: Layout, window: Window, context: str) -> NDArray[np.float64]:
    """The factor of each block of a window, [B], mean about 1 over the photo."""
    found = (meaning.upsampled(layout.rows, layout.columns).astype(np.float64) + FLOOR) ** EMPHASIS[context]
    return np.asarray((found / found.mean())[window.slices(1)].ravel())
