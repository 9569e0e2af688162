"""The base: G1's outputs, coded from a coarse lattice of blocks to a fine one, each predicted from the coarser.

A stage halves the spacing of the known blocks in two passes: first the centres of squares, from their four diagonal
neighbours, then the rest, from their four axial ones. Within a pass no block depends on another: a pass is one batch.
Where blocks are missing, the same prediction fills them in: the base gives a whole picture from its first segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder.state import G1_RANGE, Bools, Ints
from progressive.exact.coders import SymbolCoder

COARSE_SPACING = 2
"""The first base segment of a tile stops at this spacing: it holds a quarter of the blocks."""

_PHASES, _ACTIVITIES, _SPACINGS = 4, 10, 4
SYMBOLS = 4 * G1_RANGE - 1
ROWS = _SPACINGS * _PHASES * _ACTIVITIES

_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_AXIAL = ((-1, 0), (1, 0), (0, -1), (0, 1))

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Pass:
    """Blocks to be coded together: their rows and columns, [N], and the offsets of their neighbours."""

    spacing: int
    rows: Indices
    columns: Indices
    neighbours: tuple[tuple[int, int], ...]


def coarse_passes(height: int, width: int) -> Iterator[Pass]:
    """All passes down to COARSE_SPACING, for a component of a tile."""
    top = 64
    yield _pass(top, np.arange(0, height, top), np.arange(0, width, top), ())
    spacing = top
    while spacing > COARSE_SPACING:
        spacing //= 2
        yield from _stage(spacing, 0, height, width)


def fine_passes(first_row: int, rows: int, width: int) -> Iterator[Pass]:
    """The last stage, for a band of rows; both numbers are even."""
    return _stage(1, first_row, first_row + rows, width)


def code_passes(coder: SymbolCoder, table: str, passes: Iterator[Pass], bins: Ints, known: Bools, truth: Ints) -> None:
    """Codes the bins of these passes, [h, w], and marks them as known. `truth` holds what an encoder writes."""
    width = bins.shape[1]
    for p in passes:
        prediction, activity = _predict(p, bins, known)
        row = (min(p.spacing.bit_length() - 1, _SPACINGS - 1) * _PHASES + prediction % 4) * _ACTIVITIES + activity
        floor = prediction // 4
        where = (p.rows, p.columns)
        symbols = (truth[where] - floor + SYMBOLS // 2).astype(np.int32)
        decoded = coder.code(table, row, symbols, p.rows * width + p.columns)
        bins[where] = np.clip(decoded - SYMBOLS // 2 + floor, -G1_RANGE, G1_RANGE - 1)
        known[where] = True


def interpolate(bins: Ints, known: Bools) -> None:
    """Fills in the blocks that are not known, [h, w], without marking them."""
    filled = known.copy()
    height, width = bins.shape
    for p in (*coarse_passes(height, width), *fine_passes(0, height, width)):
        missing = ~known[p.rows, p.columns]
        prediction, _ = _predict(p, bins, filled)
        bins[p.rows[missing], p.columns[missing]] = prediction[missing] // 4
        filled[p.rows, p.columns] = True


def _pass(spacing: int, rows: Indices, columns: Indices, neighbours: tuple[tuple[int, int], ...]) -> Pass:
    i, j = np.meshgrid(rows, columns, indexing="ij")
    return Pass(spacing, i.ravel(), j.ravel(), tuple((dy * spacing, dx * spacing) for dy, dx in neighbours))


def _stage(spacing: int, top: int, bottom: int, width: int) -> Iterator[Pass]:
    even, odd = np.arange(top, bottom, 2 * spacing), np.arange(top + spacing, bottom, 2 * spacing)
    even_columns, odd_columns = np.arange(0, width, 2 * spacing), np.arange(spacing, width, 2 * spacing)
    yield _pass(spacing, odd, odd_columns, _DIAGONAL)
    a, b = _pass(spacing, even, odd_columns, _AXIAL), _pass(spacing, odd, even_columns, _AXIAL)
    yield Pass(spacing, np.concatenate([a.rows, b.rows]), np.concatenate([a.columns, b.columns]), a.neighbours)


def _predict(p: Pass, bins: Ints, known: Bools) -> tuple[Indices, Indices]:
    """The mean of the known neighbours in quarters of a bin, and how far apart they are (9: no neighbour), [N]."""
    if not p.neighbours:
        return np.zeros(len(p.rows), np.intp), np.full(len(p.rows), 9)
    height, width = bins.shape
    values, available = [], []
    for dy, dx in p.neighbours:
        i, j = p.rows + dy, p.columns + dx
        inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
        i, j = np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)
        values.append(bins[i, j].astype(np.intp))
        available.append(inside & known[i, j])
    v, a = np.stack(values), np.stack(available)
    n = np.maximum(a.sum(0), 1)
    prediction = (4 * (v * a).sum(0) + 2 * n) // n
    spread = np.where(a, v, -99).max(0) - np.where(a, v, 99).min(0)
    return prediction, np.where(a.any(0), np.clip(spread, 0, 8), 9)
