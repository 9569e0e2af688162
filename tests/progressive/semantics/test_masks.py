import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from progressive.errors import UsageError
from progressive.semantics.masks import (
    affordable_positions,
    channel_mean_outside,
    importance_threshold,
    largest_mask,
    mask_for_rate,
    masked_layers,
    threshold_mask,
    total_rate,
)

IMPORTANCE = np.array([[0.3, 1.9, 0.5], [1.2, 0.5, 0.1]])
maps = arrays(np.float64, (3, 4), elements=st.integers(0, 9).map(float))
rates = st.floats(0, 2)


def test_the_threshold_selects_the_largest() -> None:
    assert importance_threshold(IMPORTANCE, 2) == 0.5
    assert threshold_mask(IMPORTANCE, 0.5).tolist() == [[False, True, False], [True, False, False]]
    assert importance_threshold(IMPORTANCE, 0) == 1.9
    assert importance_threshold(IMPORTANCE, 6) == -math.inf


def test_of_equal_importance_the_first_is_selected() -> None:
    assert largest_mask(IMPORTANCE, 3).tolist() == [[False, True, True], [True, False, False]]


@given(maps, st.integers(0, 12))
def test_masks_have_as_many_ones_as_asked_and_the_threshold_never_more(importance: np.ndarray, count: int) -> None:
    mask = largest_mask(importance, count)
    assert mask.sum() == count
    above = threshold_mask(importance, importance_threshold(importance, count))
    assert not (above & ~mask).any()
    if 0 < count < 12:
        assert importance[mask].min() >= importance[~mask].max()


def test_positions_by_hand() -> None:
    # Eq. 17 with AAC(u) = 0.1 and AAC(o) = 0.5: floor(100 * 0.15 / 0.4)
    assert affordable_positions(100, 0.25, always=0.1, selectable=0.4) == 37
    # Eq. 28: the mask itself takes 0.02 bits a pixel: floor(100 * 0.13 / 0.4)
    assert affordable_positions(100, 0.25, always=0.1, selectable=0.4, mask_rate=0.02) == 32
    assert affordable_positions(100, 0.05, always=0.1, selectable=0.4) == 0
    assert affordable_positions(100, 9, always=0.1, selectable=0.4) == 100
    assert affordable_positions(100, 0.2, always=0.1, selectable=0) == 100
    assert affordable_positions(100, 0.2, always=0.1, selectable=5e-324) == 100


@given(maps, rates, rates, rates)
def test_a_mask_takes_the_rate_and_no_more_position_would(
    importance: np.ndarray, rate: float, always: float, selectable: float
) -> None:
    mask = mask_for_rate(importance, rate, always=always, selectable=selectable)
    if mask.any():
        assert total_rate(mask, always=always, selectable=selectable) <= rate + 1e-12
    if not mask.all():
        one_more = largest_mask(importance, int(mask.sum()) + 1)
        assert total_rate(one_more, always=always, selectable=selectable) > rate - 1e-12


def test_a_higher_rate_only_adds_positions() -> None:
    importance = np.random.default_rng(4).random((8, 8))
    masks = [mask_for_rate(importance, rate, always=0.1, selectable=0.6) for rate in (0.1, 0.2, 0.4, 0.7)]
    assert [int(m.sum()) for m in masks] == [0, 10, 32, 64]
    assert all(not (a & ~b).any() for a, b in pairwise(masks))


def test_what_a_mask_leaves_of_a_latent() -> None:
    latent = np.array([[[1.0, 4.0]], [[3.0, 8.0]]])
    mask = np.array([[True, False]])
    assert channel_mean_outside(latent, mask).tolist() == [[[1, 6]], [[3, 6]]]
    assert masked_layers(latent[:1], latent[1:], mask).tolist() == [[[1, 4]], [[3, 0]]]


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError, match="7 of 6"):
        largest_mask(IMPORTANCE, 7)
    with pytest.raises(UsageError, match="-1 of 6"):
        importance_threshold(IMPORTANCE, -1)
    with pytest.raises(UsageError, match="below zero"):
        affordable_positions(10, 1, always=-1, selectable=1)
