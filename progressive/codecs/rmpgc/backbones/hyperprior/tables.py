"""The names and shapes of the stored tables: two of hyperpriors, three of the latent."""

from __future__ import annotations

from collections.abc import Mapping

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE_GROUPS, GROUPS, HYPER_CHANNELS, HYPER_REACH
from progressive.exact.laplace import ESCAPE, ROWS, SYMBOLS, escape_table
from progressive.exact.tables import FrequencyTable

BASE_HYPER, ENHANCE_HYPER = "base_hyper", "enhance_hyper"
BASE, REFINED, ENHANCE = "base", "refined", "enhance"
"""Of the base's indices, of what refines them, and of the enhance layer's other channels."""

BASE_TABLES = (BASE,) * len(BASE_GROUPS)
ENHANCE_TABLES = (REFINED, *[ENHANCE] * (len(GROUPS) - 1))
"""Of each group of a layer."""

SHAPES = dict.fromkeys((BASE_HYPER, ENHANCE_HYPER), (HYPER_CHANNELS, 2 * HYPER_REACH + 1)) | dict.fromkeys(
    (BASE, REFINED, ENHANCE), (ROWS, SYMBOLS)
)
"""Rows and symbols of the counted tables."""


def with_escape(counted: Mapping[str, FrequencyTable]) -> dict[str, FrequencyTable]:
    """All tables, of those of `SHAPES`; raises ValueError if they have other shapes."""
    for name, shape in SHAPES.items():
        if counted[name].frequencies.shape != shape:
            raise ValueError(f"the table {name} has another shape")
    return {name: counted[name] for name in SHAPES} | {ESCAPE: escape_table()}
