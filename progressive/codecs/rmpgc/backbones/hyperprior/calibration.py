"""The stored tables: how often each symbol really occurred where the priors said what they said.

A row that was seldom seen falls back on the distribution that the priors were trained with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.backbones.hyperprior.channels import ENHANCE, HYPER_REACH
from progressive.codecs.rmpgc.backbones.hyperprior.choices import PRICE
from progressive.codecs.rmpgc.backbones.hyperprior.coding import Coding
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Encoder, Wanted, layers_of
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Priors
from progressive.codecs.rmpgc.backbones.hyperprior.tables import (
    BASE,
    BASE_HYPER,
    ENHANCE_HYPER,
    REFINED,
    SHAPES,
    with_escape,
)
from progressive.codecs.rmpgc.backbones.hyperprior.tables import ENHANCE as OTHERS
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import CountCollector, SymbolCoder
from progressive.exact.laplace import ESCAPE, MAX_INDEX, assumed_rows
from progressive.exact.tables import FrequencyTable, frequencies_from_counts

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""

HYPER_PRIOR, HYPER_SPREAD = 20.0, 1.5
"""The same of hyperpriors, and how far from zero their symbols are taken to be."""

Table = NDArray[np.float64]


def fit(priors: Priors, encoder: Encoder, samples: Sequence[Wanted]) -> dict[str, FrequencyTable]:
    """Tables for exact priors from some photos of whole blocks.

    The encoder chooses symbols by what they cost, so tables are counted twice: as the nearest, then as an encoder with
    the first tables chooses.
    """
    assumed = assumed_counts()
    found = _tables(assumed)
    for price in (None, PRICE):
        coding, counter = Coding(priors, found), CountCollector(SHAPES | {ESCAPE: (1, 2 * MAX_INDEX + 1)})
        for wanted in samples:
            code_everything(coding, layers_of(encoder, wanted, coding, price), counter)
        found = _tables({name: counter.counts[name] + assumed[name] for name in SHAPES})
    return found


def code_everything(coding: Coding, layers: Sequence[Layer], coder: SymbolCoder) -> None:
    """Passes all layers of a photo through a coder, as of one tile."""
    rows, columns = layers[0][0].shape[2:]
    for stage in range(ENHANCE):
        coding.code(coder, stage, layers[:stage], 1, rows, columns, layers[stage])
    blocks = mapped(layers, coding.shapes, to_blocks)
    coding.code(coder, ENHANCE, blocks[:ENHANCE], rows * columns, 1, 1, blocks[ENHANCE])


def assumed_counts() -> dict[str, Table]:
    """Laplace distributions over the distance from the rounded mean; hyperpriors about zero."""
    away = np.exp(-np.abs(np.arange(-HYPER_REACH, HYPER_REACH + 1)) / HYPER_SPREAD)
    hyper = np.tile(HYPER_PRIOR * away / away.sum(), (SHAPES[BASE_HYPER][0], 1))
    latent = PRIOR * assumed_rows()
    return dict.fromkeys((BASE_HYPER, ENHANCE_HYPER), hyper) | dict.fromkeys((BASE, REFINED, OTHERS), latent)


def _tables(weights: dict[str, Table]) -> dict[str, FrequencyTable]:
    return with_escape({name: FrequencyTable(frequencies_from_counts(w)) for name, w in weights.items()})
