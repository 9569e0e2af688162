"""The stored tables: how often each symbol really occurred where the networks said what they said.

A row that was seldom seen falls back on the distribution that the networks were trained with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy
from torch import Tensor

from progressive.codecs.rmpgc import coding
from progressive.codecs.rmpgc.coding import BASE_ROWS, PARENT_ROWS, PLANE_ROWS, REACHES, table_of
from progressive.codecs.rmpgc.layout import PLANES, TIERS
from progressive.codecs.rmpgc.model import ESCAPE_TABLE
from progressive.codecs.rmpgc.probability import MEAN_STEPS, ODDS_STEPS, SCALE_STEPS, ProbabilityNetworks
from progressive.codecs.rmpgc.quantiser import MAX_INDEX, SPLITS, narrowing_gain, outer_gain
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.codecs.rmpgc.tile import Target, TileState, code_everything
from progressive.entropy.coders import CountCollector
from progressive.entropy.tables import FrequencyTable, frequencies_from_counts

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""

FIRST_TIER = 0.5
"""The share of a plane's bits that comes first."""

Table = NDArray[np.float64]


def fit_tiers(
    networks: ProbabilityNetworks, dequantiser: Dequantiser, latents: Sequence[list[Tensor]]
) -> dict[int, Tensor]:
    """Plane -> the tier of each table row, uint8 [PLANE_ROWS]: rows by falling slope, half of the bits first."""
    alike = {plane: torch.zeros(PLANE_ROWS, dtype=torch.uint8) for plane in range(1, PLANES + 1)}
    counter = _counted(networks, alike, dequantiser, latents)
    tiers = {}
    for plane, rows in alike.items():
        order = np.argsort(-expected_slopes(plane), kind="stable")
        bits = _entropies(_plane_prior(plane))
        spent = (counter[table_of(plane, 0)].sum(1) * bits)[order].cumsum()
        late = order[spent > FIRST_TIER * spent[-1]]
        tiers[plane] = rows.clone()
        tiers[plane][torch.from_numpy(late)] = 1
    return tiers


def fit_tables(
    networks: ProbabilityNetworks, tiers: dict[int, Tensor], dequantiser: Dequantiser, latents: Sequence[list[Tensor]]
) -> dict[str, Tensor]:
    """Tables for exact networks from the latents (five scales, of one photo each) of some photos: int32 tensors.

    The encoder chooses symbols by what they cost, so the tables are counted twice: over the true symbols, then over
    those that an encoder with the first tables chooses.
    """
    prior = _priors()
    plain = _with_prior(_counted(networks, tiers, dequantiser, latents), prior)
    tables = {name: FrequencyTable(table) for name, table in plain.items()}
    chosen = _with_prior(_counted(networks, tiers, dequantiser, latents, tables), prior)
    return {name: torch.from_numpy(table.astype(np.int32)) for name, table in chosen.items()}


def expected_slopes(plane: int) -> Table:
    """Squared error removed a bit by a symbol of each row of a plane, as if its parents had the base's bins."""
    distribution, parts = _plane_prior(plane), SPLITS[plane - 1]
    inside = np.arange(PLANE_ROWS) < PARENT_ROWS
    return np.asarray(
        np.where(inside, (1 - distribution[:, 0]) * outer_gain(parts), narrowing_gain(parts))
    ) / _entropies(distribution)


def _entropies(distribution: Table) -> Table:
    """Bits of a symbol of each row."""
    return np.asarray(-xlogy(distribution, distribution).sum(1) / np.log(2))


def _counted(
    networks: ProbabilityNetworks,
    tiers: dict[int, Tensor],
    dequantiser: Dequantiser,
    latents: Sequence[list[Tensor]],
    tables: dict[str, FrequencyTable] | None = None,
) -> dict[str, Table]:
    shapes = {name: table.shape for name, table in _priors().items()} | {ESCAPE_TABLE: (1, 2 * MAX_INDEX + 2)}
    counter = CountCollector(shapes)
    with torch.inference_mode():
        for latent in latents:
            state = TileState(latent[0].shape[2], latent[0].shape[3], networks, tiers)
            code_everything(state, Target.of(latent, dequantiser, tables), counter)
    return counter.counts


def _with_prior(counts: dict[str, Table], prior: dict[str, Table]) -> dict[str, NDArray[np.int64]]:
    return {name: frequencies_from_counts(counts[name] + PRIOR * prior[name]).astype(np.int64) for name in prior}


def _priors() -> dict[str, Table]:
    base = {name: _base_prior(reach) for name, reach in REACHES.items()}
    return base | {
        table_of(plane, tier): _plane_prior(plane) for plane in range(1, PLANES + 1) for tier in range(TIERS)
    }


def _base_prior(reach: int) -> Table:
    """Laplace distributions over the distance from the rounded mean, [BASE_ROWS, 2 reach + 2]."""
    row = np.arange(BASE_ROWS)
    scale = np.exp((row // MEAN_STEPS + coding.LEAST_SCALE) / SCALE_STEPS)[:, None]
    mean = ((row % MEAN_STEPS - MEAN_STEPS // 2) / MEAN_STEPS)[:, None]
    edges = np.arange(-reach, reach + 2) - 0.5 - mean
    below = np.where(
        edges < 0, 0.5 * np.exp(np.minimum(edges, 0) / scale), 1 - 0.5 * np.exp(-np.maximum(edges, 0) / scale)
    )
    inside = np.diff(below, axis=1)
    return np.concatenate([inside, 1 - inside.sum(1, keepdims=True)], 1).clip(min=0)


def _plane_prior(plane: int) -> Table:
    """The trained distribution of each row's log-odds, [PLANE_ROWS, 3]."""
    row = np.arange(PLANE_ROWS) % PARENT_ROWS
    nonzero = _logistic((row // coding.SIGN_ROWS + coding.LEAST_ZERO) / ODDS_STEPS)
    outward = _logistic((row % coding.SIGN_ROWS + coding.LEAST_SIGN) / ODDS_STEPS)
    if SPLITS[plane - 1] == 2:
        outward[PARENT_ROWS:] = 1
    return np.stack([1 - nonzero, nonzero * outward, nonzero * (1 - outward)], 1)


def _logistic(x: Table) -> Table:
    return np.asarray(1 / (1 + np.exp(-x)))
