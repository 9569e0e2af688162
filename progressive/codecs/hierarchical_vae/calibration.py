"""The stored tables: how often each symbol really occurred where the prior said what it said.

A row that was seldom seen falls back on the distribution that the prior was trained with, its points on those of the
other rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.hierarchical_vae.choices import PRICE, Choices, Moments
from progressive.codecs.hierarchical_vae.prior import STEPS, Prior
from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.codecs.hierarchical_vae.tables import (
    LEAST_SCALE,
    NARROW,
    NARROW_SCALES,
    POINT_UNITS,
    REACHES,
    ROWS,
    SCALES_OF_ROWS,
    Tables,
)
from progressive.codecs.hierarchical_vae.tile import Coding, TileState, code_everything
from progressive.exact.coders import CountCollector
from progressive.exact.tables import FrequencyTable, frequencies_from_counts
from progressive.segments.tiles import BLOCK, Window

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""

POINT_PRIOR = 20.0
"""The weight of a symbol's mean over all rows of its table, in symbols."""

Table = NDArray[np.float64]
Sample = tuple[list[Tensor], Gammas]
"""Coefficients in steps of a photo of whole blocks, all scales [1, C, h, w], and its gammas."""


def fit(prior: Prior, samples: Sequence[Sample]) -> Tables:
    """Tables and points for an exact prior from some photos.

    The encoder chooses symbols by what they cost, so tables are counted twice: as the nearest, then as an encoder with
    the first tables chooses.
    """
    found = _tables({name: trained_rows(name) for name in REACHES}, {})
    for price in (None, PRICE):
        found = _counted(prior, found, samples, price)
    return found


def trained_rows(name: str) -> Table:
    """Laplace distributions over the distance from the rounded mean, [rows, 2 reach + 2]."""
    first, last = (0, NARROW_SCALES) if name == NARROW else (NARROW_SCALES, SCALES_OF_ROWS)
    row, reach = np.arange((last - first) * STEPS), REACHES[name]
    scale = np.exp2((row // STEPS + first + LEAST_SCALE) / STEPS)[:, None]
    mean = ((row % STEPS - STEPS // 2) / STEPS)[:, None]
    edges = np.arange(-reach, reach + 2) - 0.5 - mean
    below = np.where(
        edges < 0, 0.5 * np.exp(np.minimum(edges, 0) / scale), 1 - 0.5 * np.exp(-np.maximum(edges, 0) / scale)
    )
    inside = np.diff(below, axis=1)
    return np.concatenate([inside, 1 - inside.sum(1, keepdims=True)], 1).clip(min=0)


def _counted(prior: Prior, before: Tables, samples: Sequence[Sample], price: float | None) -> Tables:
    shapes = {name: table.frequencies.shape for name, table in before.frequencies.items()}
    counter, moments = CountCollector(shapes), Moments()
    for coefficients, gammas in samples:
        rows, columns = (n * CELL // BLOCK for n in gammas.cells.shape[1:])
        state = TileState(Window(0, 0, rows, columns), gammas, Coding(prior, before))
        code_everything(state, Choices(coefficients, moments, price), counter)
    weights = {name: counter.counts[name] + PRIOR * trained_rows(name) for name in REACHES}
    return _tables(weights, {name: _points(name, moments) for name in REACHES})


def _points(name: str, moments: Moments) -> NDArray[np.int8]:
    shape = ROWS[name], 2 * REACHES[name] + 2
    sums, counts = moments.sums.get(name, np.zeros(shape)), moments.counts.get(name, np.zeros(shape))
    usual = sums.sum(0) / np.maximum(counts.sum(0), 1)
    means = (sums + POINT_PRIOR * usual) / (counts + POINT_PRIOR) * POINT_UNITS
    return np.asarray(means.round().clip(-POINT_UNITS, POINT_UNITS).astype(np.int8))


def _tables(weights: dict[str, Table], points: dict[str, NDArray[np.int8]]) -> Tables:
    counted = {name: FrequencyTable(frequencies_from_counts(w)) for name, w in weights.items()}
    nowhere = {name: np.zeros(w.shape, np.int8) for name, w in weights.items()}
    return Tables.of(counted, nowhere | points)
