from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.calibration import expected_slopes, fit_tables, fit_tiers
from progressive.codecs.rmpgc.coding import LEAST_SIGN, LEAST_ZERO, PARENT_ROWS, PLANE_ROWS, SIGN_ROWS, table_of
from progressive.codecs.rmpgc.layout import PLANES, TIERS, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.quantiser import SPLITS, narrowing_gain, outer_gain
from progressive.codecs.rmpgc.tile import Target, TileState, code_everything
from progressive.entropy.coders import CostMeter
from progressive.entropy.tables import TOTAL, FrequencyTable

EVEN_ODDS = -LEAST_ZERO * SIGN_ROWS - LEAST_SIGN
"""The row where a symbol is zero or not with equal chance, and plus or minus with equal chance."""


class Seen:
    """Rows and symbols that pass, by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[NDArray[np.intp]]] = {}

    def code(
        self, table: str, rows: NDArray[np.intp], symbols: NDArray[np.int32], blocks: NDArray[np.intp]
    ) -> NDArray[np.int32]:
        self.rows.setdefault(table, []).append(rows)
        return symbols


@pytest.fixture(scope="module")
def latent(model: Model, photo: Photo) -> list[Tensor]:
    with torch.inference_mode():
        return latent_of(photo, Layout(photo.shape[1], photo.shape[0]), model.analysis)


@pytest.fixture(scope="module")
def tiers(model: Model, latent: list[Tensor]) -> dict[int, Tensor]:
    return fit_tiers(model.networks, model.dequantiser, [latent])


@pytest.fixture(scope="module")
def tables(model: Model, tiers: dict[int, Tensor], latent: list[Tensor]) -> dict[str, Tensor]:
    return fit_tables(model.networks, tiers, model.dequantiser, [latent])


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


def test_the_first_tier_has_the_best_slopes_and_half_of_the_bits(
    model: Model, latent: list[Tensor], tiers: dict[int, Tensor]
) -> None:
    seen = Seen()
    alike = {plane: torch.zeros(PLANE_ROWS, dtype=torch.uint8) for plane in tiers}
    with torch.inference_mode():
        state = TileState(*latent[0].shape[2:], model.networks, alike)
        code_everything(state, Target.of(latent, model.dequantiser, None), seen)
    assert sorted(tiers) == list(range(1, PLANES + 1))
    for plane, tier in tiers.items():
        slopes, later = expected_slopes(plane), tier.numpy().astype(bool)
        assert slopes[~later].min() >= slopes[later].max()
        rows = np.concatenate(seen.rows[table_of(plane, 0)])
        bits = entropy_of_rows(plane)[rows]
        assert bits[~later[rows]].sum() / bits.sum() == pytest.approx(0.5, abs=0.1)


def entropy_of_rows(plane: int) -> NDArray[np.float64]:
    def entropy(odds: NDArray[np.float64]) -> NDArray[np.float64]:
        p = 1 / (1 + np.exp(-odds))
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    row = np.arange(PLANE_ROWS) % PARENT_ROWS
    zero, sign = (row // SIGN_ROWS + LEAST_ZERO) / 4, (row % SIGN_ROWS + LEAST_SIGN) / 4
    certain = (np.arange(PLANE_ROWS) >= PARENT_ROWS) & (SPLITS[plane - 1] == 2)
    return entropy(zero) + np.where(certain, 0, entropy(sign) / (1 + np.exp(-zero)))


def test_tables_fit_the_photos_they_were_counted_on(
    model: Model, tiers: dict[int, Tensor], tables: dict[str, Tensor], latent: list[Tensor]
) -> None:
    def bits(of: dict[str, FrequencyTable]) -> float:
        meter = CostMeter(of, 6)
        with torch.inference_mode():
            state = TileState(*latent[0].shape[2:], model.networks, tiers)
            code_everything(state, Target.of(latent, model.dequantiser, None), meter)
        return float(meter.bits.sum())

    fitted = {name: FrequencyTable(t.numpy()) for name, t in tables.items()}
    assert bits(model.tables | fitted) < 0.8 * bits(model.tables)
    assert set(tables) == {n for n in model.tables if n != "escape"}
    assert all((t.sum(1) == TOTAL).all() and (t > 0).all() for t in tables.values())


def test_a_row_that_was_never_seen_has_the_distribution_it_was_trained_with(tables: dict[str, Tensor]) -> None:
    for plane in range(1, PLANES + 1):
        for tier in range(TIERS):
            table = tables[table_of(plane, tier)].double() / TOTAL
            least = table[0]
            nonzero = 1 / (1 + math.exp(-LEAST_ZERO / 4))
            outward = 1 / (1 + math.exp(-LEAST_SIGN / 4))
            expected = torch.tensor([1 - nonzero, nonzero * outward, nonzero * (1 - outward)])
            assert (least - expected).abs().max() < 3 / TOTAL
