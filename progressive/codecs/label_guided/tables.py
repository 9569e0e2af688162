"""What the model stores beside its networks: tables of symbols, and where in their bins coefficients are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.label_guided.label_prior import ROWS as LABEL_ROWS
from progressive.codecs.label_guided.label_prior import TABLE as LABELS
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, HYPER_REACH
from progressive.exact.laplace import ESCAPE, ROWS, SYMBOLS, escape_table
from progressive.exact.tables import TOTAL, FrequencyTable

LATENT, HYPER = "latent", "hyper"

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
        return cls({name: counted[name] for name in SHAPES} | {ESCAPE: escape_table()}, points)
