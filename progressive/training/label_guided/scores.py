"""How well a segmentation is: intersection over union of each class, and its mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.label_guided.classes import COUNT
from progressive.training.label_guided.labels import VOID

Counts = NDArray[np.int64]


def confusion(found: NDArray[np.integer], true: NDArray[np.integer]) -> Counts:
    """How often each class was taken for each, [K true, K found], where the truth is known."""
    known = true != VOID
    pairs = true[known].astype(np.int64) * COUNT + found[known]
    return np.bincount(pairs, minlength=COUNT * COUNT).reshape(COUNT, COUNT)


def intersections_over_unions(counts: Counts) -> NDArray[np.float64]:
    """Of each class, [K]; not a number for one that is neither true nor found."""
    hit = np.diagonal(counts).astype(np.float64)
    union = counts.sum(0) + counts.sum(1) - np.diagonal(counts)
    return np.asarray(np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0))


def mean_iou(counts: Counts) -> float:
    """The mean over the classes that there are, 0..1."""
    return float(np.nanmean(intersections_over_unions(counts)))
