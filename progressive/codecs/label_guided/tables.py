"""Which row of which table a prior's output picks, and how an index becomes a symbol.

A **row** stands for a distribution over the distance from the rounded mean: `STEPS` fractions of a bin for the mean,
`STEPS` an octave for the scale. Symbols are distances up to `REACH`; one more says that the index itself follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.label_guided.label_prior import ROWS as LABEL_ROWS
from progressive.codecs.label_guided.label_prior import TABLE as LABELS
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, HYPER_REACH, STEPS
from progressive.codecs.label_guided.steps import MAX_INDEX
from progressive.exact.tables import TOTAL, FrequencyTable

Ints = NDArray[np.int32]

LATENT, HYPER, ESCAPE = "latent", "hyper", "escape"

REACH = 12
SYMBOLS = 2 * REACH + 2

LEAST_SCALE, SCALES = -44, 68
"""The scale of the first rows, in steps of an octave; how many scales there are."""

ROWS = SCALES * STEPS

SHAPES = {
    LABELS: (LABEL_ROWS, 2),
    HYPER: (HYPER_CHANNELS, 2 * HYPER_REACH + 1),
    LATENT: (ROWS, SYMBOLS),
}
"""Of the counted tables: rows and symbols."""

SURE = TOTAL // 2048
"""Where all symbols but the middle one are rarer than this together, none is written: none is worth its bits."""

POINT_UNITS = 64
"""Of a point in a bin: where a coefficient is expected, from the middle of its bin."""


@dataclass(frozen=True)
class Tables:
    """What the model stores beside its networks.

    Fields:
        frequencies: of symbols, by name.
        points: of the latent's rows and symbols, where coefficients are expected in their bins, int8 [ROWS, SYMBOLS].
    """

    frequencies: Mapping[str, FrequencyTable]
    points: NDArray[np.int8]

    @classmethod
    def of(cls, counted: Mapping[str, FrequencyTable], points: NDArray[np.int8]) -> Tables:
        """Of the tables of `SHAPES`; raises ValueError if they have other shapes."""
        for name, shape in SHAPES.items():
            if counted[name].frequencies.shape != shape:
                raise ValueError(f"the table {name} has another shape")
        if points.shape != SHAPES[LATENT]:
            raise ValueError("the points have another shape")
        return cls({name: counted[name] for name in SHAPES} | {ESCAPE: _uniform(2 * MAX_INDEX + 1)}, points)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a prior's outputs say of some coefficients, [N]. Fields: the rounded mean; the row."""

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


def _uniform(symbols: int) -> FrequencyTable:
    frequencies = np.full((1, symbols), TOTAL // symbols)
    frequencies[0, symbols // 2] += TOTAL - frequencies.sum()
    return FrequencyTable(frequencies)
