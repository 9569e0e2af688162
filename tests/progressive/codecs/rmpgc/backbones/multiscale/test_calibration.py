from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.calibration import LEAST_ODDS, expected_slopes, fit
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.coding import (
    LEAST_SIGN,
    LEAST_ZERO,
    NEVER,
    PARENT_ROWS,
    PLANE_ROWS,
    SIGN_ROWS,
    look_of,
    table_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.model import POINT_NAMES, Coding
from progressive.codecs.rmpgc.backbones.multiscale.probability import ODDS_STEPS
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import SPLITS, narrowing_gain, outer_gain
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState, code_everything
from progressive.exact.coders import CostMeter
from progressive.exact.tables import TOTAL

EVEN_ODDS = -LEAST_ZERO * SIGN_ROWS - LEAST_SIGN
"""The row where a symbol is zero or not with equal chance, and plus or minus with equal chance."""

BLOCKS = 6


@pytest.fixture(scope="module", autouse=True)
def _without_gradients() -> object:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def fitted(coding: Coding, latent: list[Tensor]) -> Coding:
    return fit(coding.networks, [latent])


def everything(coding: Coding, latent: list[Tensor]) -> tuple[TileState, CostMeter, list[float]]:
    """The photo coded at every level by an encoder that chooses: its end, its bits, and the squared errors."""
    state, meter = TileState(2, 3, coding), CostMeter(coding.tables, BLOCKS)
    target = Target(latent, Choices(latent[0], 0.0, coding.tables, coding.points))
    errors = []
    for level in code_everything(state, target, meter):
        values = [state.values(slice(None), level, scale) for scale in range(SCALES)]
        errors.append(sum(float((a - b).square().sum()) for a, b in zip(values, target.blocks, strict=True)))
    return state, meter, errors


@pytest.mark.parametrize("plane", range(1, PLANES + 1))
def test_expected_slopes_are_error_removed_over_bits(plane: int) -> None:
    """With even odds a symbol other than zero costs a bit, and its sign half a bit on average, where it has one."""
    slopes, parts = expected_slopes(plane), SPLITS[plane - 1]
    assert slopes.shape == (PLANE_ROWS,)
    assert (slopes > 0).all()
    assert slopes[EVEN_ODDS] == pytest.approx(0.5 * outer_gain(parts) / 1.5)
    assert slopes[PARENT_ROWS + EVEN_ODDS] == pytest.approx(narrowing_gain(parts) / (1.5 if parts == 3 else 1))
    likelier = slopes[EVEN_ODDS + SIGN_ROWS * np.arange(0, 8)]
    assert (np.diff(likelier) > 0).all()


def test_the_first_tier_has_the_best_slopes_and_the_least_likely_symbols_never_come(fitted: Coding) -> None:
    odds = (np.arange(PARENT_ROWS) // SIGN_ROWS + LEAST_ZERO) / ODDS_STEPS
    assert sorted(fitted.tier_of_row) == list(range(1, PLANES + 1))
    for plane, tiers in fitted.tier_of_row.items():
        assert set(tiers.tolist()) == {0, 1, NEVER}
        never = tiers == NEVER
        assert np.array_equal(np.flatnonzero(never), np.flatnonzero(odds <= LEAST_ODDS))
        slopes = expected_slopes(plane)
        assert slopes[tiers == 0].min() >= slopes[tiers == 1].max()


def test_half_of_a_plane_s_bits_come_first(fitted: Coding, latent: list[Tensor]) -> None:
    """By what the networks say that symbols cost, where all of them come later."""
    rows: dict[str, list[NDArray[np.intp]]] = {}

    class Seen:
        def code(
            self, table: str, seen: NDArray[np.intp], symbols: NDArray[np.int32], _: NDArray[np.intp]
        ) -> NDArray[np.int32]:
            rows.setdefault(table, []).append(seen)
            return symbols

    late = replace(fitted, tier_of_row={p: np.zeros(PLANE_ROWS, np.uint8) for p in fitted.tier_of_row})
    for _ in code_everything(TileState(2, 3, late), Target(latent, Choices(latent[0])), Seen()):
        pass
    for plane, tiers in fitted.tier_of_row.items():
        found = np.concatenate(rows[table_of(plane, 0)])
        bits = entropy_of_rows(plane)[found]
        assert bits[tiers[found] == 0].sum() / bits.sum() == pytest.approx(0.5, abs=0.15)


def entropy_of_rows(plane: int) -> NDArray[np.float64]:
    def entropy(odds: NDArray[np.float64]) -> NDArray[np.float64]:
        p = 1 / (1 + np.exp(-odds))
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    row = np.arange(PLANE_ROWS) % PARENT_ROWS
    zero, sign = (row // SIGN_ROWS + LEAST_ZERO) / ODDS_STEPS, (row % SIGN_ROWS + LEAST_SIGN) / ODDS_STEPS
    certain = (np.arange(PLANE_ROWS) >= PARENT_ROWS) & (SPLITS[plane - 1] == 2)
    return entropy(zero) + np.where(certain, 0, entropy(sign) / (1 + np.exp(-zero)))


def test_tables_and_points_fit_the_photos_they_were_counted_on(
    coding: Coding, fitted: Coding, latent: list[Tensor]
) -> None:
    middles = replace(fitted, points={name: np.zeros_like(points) for name, points in fitted.points.items()})
    others = replace(fitted, tables=coding.tables)
    _, meter, errors = everything(fitted, latent)
    assert meter.bits.sum() < 0.8 * everything(others, latent)[1].bits.sum()
    assert len(errors) == LEVELS + 1
    for level, error in enumerate(everything(middles, latent)[2]):
        assert errors[level] < error
    assert set(fitted.tables) == set(coding.tables)
    assert all((t.frequencies.sum(1) == TOTAL).all() and (t.frequencies > 0).all() for t in fitted.tables.values())


def test_points_of_all_tables_and_looks_are_found(fitted: Coding) -> None:
    assert set(fitted.points) == set(POINT_NAMES)
    for plane in range(1, PLANES + 1):
        assert fitted.points[look_of(plane)].shape == (PLANE_ROWS, 2)
        assert fitted.points[look_of(plane)].any()
        for tier in range(TIERS):
            assert fitted.points[table_of(plane, tier)].shape == (PLANE_ROWS, 3)
            assert fitted.points[table_of(plane, tier)].any()


def test_a_row_that_was_never_seen_has_the_distribution_it_was_trained_with(fitted: Coding) -> None:
    for plane in range(1, PLANES + 1):
        for tier in range(TIERS):
            least = fitted.tables[table_of(plane, tier)].probabilities[0]
            nonzero = 1 / (1 + math.exp(-LEAST_ZERO / ODDS_STEPS))
            outward = 1 / (1 + math.exp(-LEAST_SIGN / ODDS_STEPS))
            np.testing.assert_allclose(least, [1 - nonzero, nonzero * outward, nonzero * (1 - outward)], atol=3 / TOTAL)
