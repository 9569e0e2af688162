"""Which row of which table a prior's output picks, and how an index becomes symbols.

A **row** stands for a distribution over the distance from the rounded mean: `STEPS` fractions of a bin for the mean,
`STEPS` an octave for the scale. Narrow rows have few symbols, as each one that a table has costs something; indices of
very wide ones are coded coarsely, and their last bits as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.hierarchical_vae.prior import STEPS
from progressive.codecs.hierarchical_vae.quantiser import MAX_INDEX
from progressive.exact.tables import TOTAL, FrequencyTable

Ints = NDArray[np.int32]

NARROW, WIDE = "narrow", "wide"
REACHES = {NARROW: 2, WIDE: 16}
"""Symbols are distances from the rounded mean, up to this; one more says that the index itself follows."""

LEAST_SCALE, NARROW_SCALES, SCALES_OF_ROWS = -44, 27, 65
"""The scale of the first rows, in steps; how many are narrow; how many there are."""

ROWS = {NARROW: NARROW_SCALES * STEPS, WIDE: (SCALES_OF_ROWS - NARROW_SCALES) * STEPS}

ESCAPE = "escape"
MAX_SHIFT = 8

SURE = TOTAL // 2048
"""Where all symbols but the middle one are rarer than this together, none is written: none is worth its bits."""

POINT_UNITS = 64
"""Of a point in a bin: where a coefficient is expected, from the middle of its bin."""


def bits_table(count: int) -> str:
    """The name of the table of so many bits as they are."""
    return f"bits{count}"


def fixed_tables() -> dict[str, FrequencyTable]:
    """The tables that are the same for every model: all symbols equally likely."""
    sizes = {bits_table(count): 1 << count for count in range(1, MAX_SHIFT + 1)} | {ESCAPE: 2 * MAX_INDEX + 2}
    return {name: FrequencyTable(np.full((1, size), TOTAL // size)) for name, size in sizes.items()}


@dataclass(frozen=True, slots=True)
class Tables:
    """The stored tables and what follows from them.

    Fields:
        frequencies: of all symbols, by name.
        points: by name, int8 [rows, symbols]; in `POINT_UNITS` of a bin.
        expected: by name, the mean distance of a row's coefficients from the rounded mean, in bins, [rows].
    """

    frequencies: Mapping[str, FrequencyTable]
    points: Mapping[str, NDArray[np.int8]]
    expected: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, counted: Mapping[str, FrequencyTable], points: Mapping[str, NDArray[np.int8]]) -> Tables:
        """Of the two tables of rows; raises ValueError if they have other shapes."""
        expected = {}
        for name, reach in REACHES.items():
            shape = (ROWS[name], 2 * reach + 2)
            if counted[name].frequencies.shape != shape or points[name].shape != shape:
                raise ValueError(f"the table {name} has another shape")
            distances = np.arange(-reach, reach + 1) + points[name][:, :-1] / POINT_UNITS
            shares = counted[name].probabilities[:, :-1]
            expected[name] = ((shares * distances).sum(1) / shares.sum(1)).astype(np.float32)
        return cls({name: counted[name] for name in REACHES} | fixed_tables(), points, expected)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a prior's outputs say of some coefficients, [N].

    Fields:
        centre: the rounded mean.
        row: number in the narrow rows, then the wide ones.
        shift: how many of the last bits are coded as they are.
    """

    centre: Ints
    row: Ints
    shift: Ints

    @classmethod
    def of(cls, mean: Ints, scale: Ints) -> Rows:
        """Of means in `STEPS` a bin and scales in `STEPS` an octave."""
        centre = ((mean + STEPS // 2) // STEPS).clip(-MAX_INDEX, MAX_INDEX)
        fraction = (mean - STEPS * centre + STEPS // 2).clip(0, STEPS - 1)
        place = np.maximum(scale - LEAST_SCALE, 0)
        shift = ((place - SCALES_OF_ROWS + STEPS) // STEPS).clip(0, MAX_SHIFT)
        place = np.minimum(place - STEPS * shift, SCALES_OF_ROWS - 1)
        fraction = np.where(shift > 0, STEPS // 2, fraction)
        return cls(centre, (place * STEPS + fraction).astype(np.int32), shift)

    def named(self, name: str) -> tuple[NDArray[np.intp], Ints]:
        """Which of the coefficients have rows of a table, and the rows there."""
        wide = self.row >= ROWS[NARROW]
        chosen = np.flatnonzero(wide if name == WIDE else ~wide)
        return chosen, self.row[chosen] - (ROWS[NARROW] if name == WIDE else 0)


def from_index(index: Ints, centre: Ints, shift: Ints, reach: int) -> tuple[Ints, Ints]:
    """Indices as symbols, and the bits that are coded as they are."""
    away = index - centre + ((1 << shift) >> 1)
    coarse = away >> shift
    symbols = np.where(np.abs(coarse) > reach, 2 * reach + 1, coarse + reach)
    return symbols.astype(np.int32), (away - (coarse << shift)).astype(np.int32)


def to_index(symbols: Ints, last: Ints, centre: Ints, shift: Ints, reach: int) -> Ints:
    """The inverse of `from_index`, of symbols that are no escapes."""
    found: Ints = ((symbols - reach) << shift) + last - ((1 << shift) >> 1) + centre
    return found
