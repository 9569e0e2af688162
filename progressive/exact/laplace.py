"""Tables of indices about a predicted mean: which row an exact network's output picks, and how an index is written.

A **row** stands for a distribution over the distance from the rounded mean: `STEPS` fractions of a bin for the mean,
`STEPS` an octave for the scale. Symbols are distances up to `REACH`; one more says that the index itself follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.exact.coders import SymbolCoder
from progressive.exact.tables import TOTAL, FrequencyTable

Ints = NDArray[np.int32]

STEPS = 8
"""Output integers a bin of the mean, and an octave of the scale."""

MAX_INDEX = 255
"""Indices are clipped to this."""

REACH = 12
SYMBOLS = 2 * REACH + 2

LEAST_SCALE, SCALES = -44, 68
"""The scale of the first rows, in steps of an octave; how many scales there are."""

ROWS = SCALES * STEPS

SURE = TOTAL // 512
"""Where all symbols but the middle one are rarer than this together, none is written: none is worth its bits."""

ESCAPE = "escape"
"""The name of the table of indices that are written themselves."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a network's outputs say of some indices, [N]. Fields: the rounded mean; the row."""

    centre: Ints
    row: Ints

    @classmethod
    def of(cls, mean: Ints, scale: Ints) -> Rows:
        """Of means in `STEPS` a bin and scales in `STEPS` an octave."""
        centre = ((mean + STEPS // 2) // STEPS).clip(-MAX_INDEX, MAX_INDEX)
        fraction = (mean - STEPS * centre + STEPS // 2).clip(0, STEPS - 1)
        place = (scale - LEAST_SCALE).clip(0, SCALES - 1)
        return cls(centre.astype(np.int32), (place * STEPS + fraction).astype(np.int32))


def from_index(index: Ints, centre: Ints) -> Ints:
    """Indices as symbols."""
    away = index - centre
    return np.where(np.abs(away) > REACH, SYMBOLS - 1, away + REACH).astype(np.int32)


def assumed_rows() -> NDArray[np.float64]:
    """The probability of each symbol in each row if indices have Laplace distributions, [ROWS, SYMBOLS]."""
    row = np.arange(ROWS)
    scale = np.exp2((row // STEPS + LEAST_SCALE) / STEPS)[:, None]
    mean = ((row % STEPS - STEPS // 2) / STEPS)[:, None]
    edges = np.arange(-REACH, REACH + 2) - 0.5 - mean
    below = np.where(
        edges < 0, 0.5 * np.exp(np.minimum(edges, 0) / scale), 1 - 0.5 * np.exp(-np.maximum(edges, 0) / scale)
    )
    inside = np.diff(below, axis=1)
    return np.concatenate([inside, 1 - inside.sum(1, keepdims=True)], 1).clip(min=0)


def escape_table() -> FrequencyTable:
    """Of indices that are too far from their means: all are alike."""
    symbols = 2 * MAX_INDEX + 1
    frequencies = np.full((1, symbols), TOTAL // symbols)
    frequencies[0, symbols // 2] += TOTAL - frequencies.sum()
    return FrequencyTable(frequencies)


def written(frequencies: FrequencyTable, rows: Rows) -> NDArray[np.bool_]:
    """Which indices are not sure to be their means, [N]."""
    return np.asarray((TOTAL - frequencies.frequencies[:, REACH])[rows.row] > SURE)


def code_indices(
    coder: SymbolCoder, table: str, frequencies: FrequencyTable, rows: Rows, true: Ints, owners: NDArray[np.intp]
) -> Ints:
    """Passes indices through a coder, [N]; what is found, within `MAX_INDEX`: of what is not written the mean.

    Args:
        table, frequencies: name and content of their table.
        rows: what is expected of each.
        true: the indices; a decoder ignores them.
        owners: the item of each, rising.
    """
    index = rows.centre.copy()
    asked = np.flatnonzero(written(frequencies, rows))
    if len(asked):
        centre, own = rows.centre[asked], owners[asked]
        coded = coder.code(table, rows.row[asked], from_index(true[asked], centre), own)
        found = coded - REACH + centre
        escaped = np.flatnonzero(coded == SYMBOLS - 1)
        if len(escaped):
            raw = (true[asked][escaped] + MAX_INDEX).astype(np.int32)
            found[escaped] = coder.code(ESCAPE, np.zeros_like(raw), raw, own[escaped]) - MAX_INDEX
        index[asked] = found.clip(-MAX_INDEX, MAX_INDEX)
    return index
