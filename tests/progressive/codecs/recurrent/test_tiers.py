from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.recurrent.layout import ITERATIONS, Layout, Window
from progressive.codecs.recurrent.tiers import FLOOR, WHOLE, Tier, cell_shares, place_in_order, tiers_of
from progressive.semantics.allocation import allocate_iterations, semantic_levels
from progressive.semantics.coarse_map import CoarseMap


def shares_of(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1_000, 30_000, shape)


@pytest.mark.parametrize("mean", [1.5, 4.0, 9.0, 17.0])
def test_beginnings_of_the_order_are_what_algorithm_1_allots(mean: float) -> None:
    shares = shares_of((6, 7))
    tiers = tiers_of(Window(0, 0, 6, 7), shares, 1)
    places = sorted((place_in_order(k, tier, "classify"), n) for n, tier in enumerate(tiers) for k in range(ITERATIONS))
    sent = places[: round(mean * len(tiers))]
    reached = np.bincount([n for _, n in sent], minlength=len(tiers))
    got = np.zeros(shares.shape, np.int64)
    for tier, iterations in zip(tiers, reached, strict=True):
        got[tier.cells] = iterations
    assert np.abs(got - allocate_iterations(shares / shares.sum(), mean)).max() <= 1


def test_to_reconstruct_all_have_the_same_iterations() -> None:
    tiers = tiers_of(Window(0, 0, 5, 5), shares_of((5, 5)), 4)
    assert {place_in_order(3, tier, "reconstruct") for tier in tiers} == {4.0}
    hybrid, classify = (place_in_order(3, tiers[0], context) for context in ("hybrid", "classify"))
    assert classify < hybrid < 4.0


@given(height=st.integers(1, 32), width=st.integers(1, 32), cells=st.integers(4, 1024), seed=st.integers(0, 9))
def test_tiers_part_a_tile_the_most_important_first(height: int, width: int, cells: int, seed: int) -> None:
    shares = shares_of((height + 3, width + 2), seed)
    tiers = tiers_of(Window(3, 2, height, width), shares, cells)
    assert sum(tier.cells.astype(int) for tier in tiers).min() == 1  # type: ignore[union-attr]
    assert sum(tier.count for tier in tiers) == height * width
    counts, means = [tier.count for tier in tiers], [tier.importance for tier in tiers]
    assert max(counts) <= cells
    assert max(counts) - min(counts) <= 1
    assert means == sorted(means, reverse=True)


def test_a_cells_importance_is_that_of_its_four_blocks() -> None:
    layout, photo = Layout(96, 64), np.random.default_rng(1).random((64, 96))
    coarse = CoarseMap.of(photo)
    levels = semantic_levels(coarse.upsampled(8, 12).astype(np.float64) + FLOOR, 1)
    found = cell_shares(layout, coarse)
    assert np.allclose(found / found.sum(), levels.reshape(4, 2, 6, 2).sum((1, 3)), atol=4 / WHOLE)
    assert (cell_shares(layout, None) == 1).all()


def test_without_importance_tiers_are_rows_that_follow_each_other() -> None:
    tiers = tiers_of(Window(0, 0, 4, 6), np.ones((4, 6), np.int64), 12)
    assert [sorted(set(np.nonzero(tier.cells)[0])) for tier in tiers] == [[0, 1], [2, 3]]
    assert isinstance(tiers[0], Tier)
