"""The stored tables: how often each symbol really occurred where the priors said what they said.

A row that was seldom seen falls back on the distribution that the priors were trained with, its points on those of the
other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.label_guided.choices import Choices, Moments
from progressive.codecs.label_guided.label_prior import TABLE as LABELS
from progressive.codecs.label_guided.label_prior import LabelPrior, assumed_yes
from progressive.codecs.label_guided.layout import SIDE, Layout
from progressive.codecs.label_guided.prior import HYPER_REACH, Prior
from progressive.codecs.label_guided.steps import SLOPE
from progressive.codecs.label_guided.tables import HYPER, LATENT, POINT_UNITS, SHAPES, Tables
from progressive.codecs.label_guided.tile import Coding, TileState, code_everything
from progressive.exact.coders import CountCollector
from progressive.exact.laplace import ESCAPE, MAX_INDEX, assumed_rows
from progressive.exact.tables import FrequencyTable, frequencies_from_counts
from progressive.segments.tiles import BLOCK

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""

HYPER_PRIOR = 20.0
POINT_PRIOR = 20.0
"""The weight of a symbol's mean over all rows of its table, in symbols."""

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """A photo of whole blocks. Fields: what to write of it; its level."""

    choices: Choices
    level: int


def fit(label_prior: LabelPrior, prior: Prior, samples: Sequence[Sample]) -> Tables:
    """Tables and points for exact priors from some photos.

    The encoder chooses symbols by what they cost, so tables are counted twice: as the nearest, then as an encoder with
    the first tables chooses.
    """
    found = _tables(trained_rows(), np.zeros(SHAPES[LATENT], np.int8))
    for price in (None, SLOPE):
        found = _counted(Coding(label_prior, prior, found), samples, price)
    return found


def trained_rows() -> dict[str, Table]:
    """What the priors mean: Laplace distributions over the distance from the rounded mean, softmax for classes."""
    yes = assumed_yes()
    away = np.abs(np.arange(-HYPER_REACH, HYPER_REACH + 1))
    hyper = np.exp(-away / 1.5) / np.exp(-away / 1.5).sum()
    return {
        LATENT: assumed_rows(),
        LABELS: np.stack([1 - yes, yes], 1),
        HYPER: np.tile(hyper * HYPER_PRIOR / PRIOR, (SHAPES[HYPER][0], 1)),
    }


def _counted(coding: Coding, samples: Sequence[Sample], price: float | None) -> Tables:
    counter, moments = CountCollector(SHAPES | {ESCAPE: (1, 2 * MAX_INDEX + 1)}), Moments()
    for sample in samples:
        height, width = (n * BLOCK // SIDE for n in sample.choices.values.shape[2:])
        layout = Layout(width, height)
        blank = sample.choices.labels is None
        state = TileState(layout, layout.whole, sample.level, blank, coding)
        code_everything(state, replace(sample.choices, moments=moments, price=price), counter)
    assumed = trained_rows()
    return _tables({name: counter.counts[name] + PRIOR * assumed[name] for name in SHAPES}, _points(moments))


def _points(moments: Moments) -> NDArray[np.int8]:
    usual = moments.sums.sum(0) / np.maximum(moments.counts.sum(0), 1)
    means = (moments.sums + POINT_PRIOR * usual) / (moments.counts + POINT_PRIOR) * POINT_UNITS
    return np.asarray(means.round().clip(-POINT_UNITS, POINT_UNITS).astype(np.int8))


def _tables(weights: dict[str, Table], points: NDArray[np.int8]) -> Tables:
    return Tables.of({name: FrequencyTable(frequencies_from_counts(w)) for name, w in weights.items()}, points)
