"""The stored tables: how often each symbol really occurred where the networks said what they said.

A row that was seldom seen falls back on the distribution that the networks were trained with, its points on those of
the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import coding
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices, Moments
from progressive.codecs.rmpgc.backbones.multiscale.coding import (
    BASE_ROWS,
    ESCAPE_TABLE,
    NEVER,
    PARENT_ROWS,
    PLANE_ROWS,
    REACHES,
    look_of,
    table_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.model import POINT_NAMES, Coding, escape_table
from progressive.codecs.rmpgc.backbones.multiscale.points import UNITS, Points
from progressive.codecs.rmpgc.backbones.multiscale.probability import (
    MEAN_STEPS,
    ODDS_STEPS,
    SCALE_STEPS,
    ProbabilityNetworks,
)
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import SPLITS, narrowing_gain, outer_gain
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState, code_everything
from progressive.exact.coders import CountCollector
from progressive.exact.tables import FrequencyTable, frequencies_from_counts

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""

POINT_PRIOR = 20.0
"""The weight of a symbol's mean over all rows of its table, in symbols."""

FIRST_TIER = 0.5
"""The share of a plane's bits that comes first."""

LEAST_ODDS = -7.5
"""Log-odds of a symbol that is not zero, up to which it is never written: one in 1,800, of which few are worth it."""

Table = NDArray[np.float64]
Latents = Sequence[list[Tensor]]


def fit(networks: ProbabilityNetworks, latents: Latents) -> Coding:
    """Tables, points and tiers for exact networks from the latents (all scales, of one photo each) of some photos.

    The encoder chooses symbols by what they cost, so tables are counted twice: over the true symbols, then over those
    that an encoder with the first tables chooses.
    """
    late = {plane: np.ones(PLANE_ROWS, np.uint8) for plane in range(1, PLANES + 1)}
    nowhere = {name: np.zeros(shape, np.int8) for name, shape in _point_shapes().items()}
    plain = Coding(networks, _tables(_priors()), nowhere, late)
    looks = _count(plain, latents[: max(1, len(latents) // 4)], truth=True).moments
    plain = replace(plain, tier_of_row={p: _tiers(p, looks.counts[look_of(p)][:, 0]) for p in late})
    for truth in (True, False):
        found = _count(plain, latents, truth=truth)
        plain = replace(plain, tables=_with_prior(found.counts), points=_points(found.moments))
    return plain


def expected_slopes(plane: int) -> Table:
    """Squared error removed a bit by a symbol of each row of a plane's look, as if its parents had the base's bins."""
    distribution, parts = _plane_prior(plane), SPLITS[plane - 1]
    inside = np.arange(PLANE_ROWS) < PARENT_ROWS
    return np.asarray(
        np.where(inside, (1 - distribution[:, 0]) * outer_gain(parts), narrowing_gain(parts))
    ) / _entropies(distribution)


def _tiers(plane: int, seen: Table) -> NDArray[np.uint8]:
    """The tier of each row of a plane's look: rows by falling slope, half of the bits first."""
    order = np.argsort(-expected_slopes(plane), kind="stable")
    spent = (seen * _entropies(_plane_prior(plane)))[order].cumsum()
    tiers = np.zeros(PLANE_ROWS, np.uint8)
    tiers[order[spent > FIRST_TIER * spent[-1]]] = 1
    odds = (np.arange(PARENT_ROWS) // coding.SIGN_ROWS + coding.LEAST_ZERO) / ODDS_STEPS
    tiers[:PARENT_ROWS][odds <= LEAST_ODDS] = NEVER
    return tiers


def _entropies(distribution: Table) -> Table:
    """Bits of a symbol of each row."""
    return np.asarray(-(distribution * np.log2(distribution.clip(min=np.finfo(float).tiny))).sum(1))


@dataclass(frozen=True)
class _Counted:
    counts: dict[str, Table]
    moments: Moments


def _count(plain: Coding, latents: Latents, *, truth: bool) -> _Counted:
    """What coding all latents writes, the true symbols or those that an encoder chooses."""
    shapes = {name: table.frequencies.shape for name, table in plain.tables.items()}
    counter, moments = CountCollector(shapes), Moments()
    for latent in latents:
        rows, columns = latent[0].shape[2:]
        state = TileState(rows, columns, plain)
        choose = Choices(latent[0], 0.0, None if truth else plain.tables, plain.points, moments)
        for _ in code_everything(state, Target(latent, choose), counter):
            pass
    return _Counted(counter.counts, moments)


def _points(moments: Moments) -> dict[str, Points]:
    found = {}
    for name, shape in _point_shapes().items():
        sums, counts = moments.sums.get(name, np.zeros(shape)), moments.counts.get(name, np.zeros(shape))
        usual = sums.sum(0) / np.maximum(counts.sum(0), 1)
        means = (sums + POINT_PRIOR * usual) / (counts + POINT_PRIOR)
        found[name] = means.round().clip(-UNITS // 2, UNITS // 2 - 1).astype(np.int8)
    return found


def _point_shapes() -> dict[str, tuple[int, int]]:
    shapes = {name: (prior.shape[0], prior.shape[1]) for name, prior in _priors().items()}
    return {name: shapes.get(name, (PLANE_ROWS, 2)) for name in POINT_NAMES}


def _tables(weights: dict[str, Table]) -> dict[str, FrequencyTable]:
    tables = {name: FrequencyTable(frequencies_from_counts(w)) for name, w in weights.items()}
    return tables | {ESCAPE_TABLE: escape_table()}


def _with_prior(counts: dict[str, Table]) -> dict[str, FrequencyTable]:
    return _tables({name: counts[name] + PRIOR * prior for name, prior in _priors().items()})


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
