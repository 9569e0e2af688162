import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.semantics.grids import area_average, block_areas, block_average, block_sums

sizes = st.integers(1, 20)


def test_cells_are_means_over_their_area() -> None:
    values = np.array([[1.0, 3.0], [5.0, 7.0]])
    assert area_average(values, 1, 1) == pytest.approx(np.array([[4.0]]))
    assert area_average(values, 2, 1) == pytest.approx(np.array([[2.0], [6.0]]))


def test_a_pixel_on_a_border_counts_on_both_sides_with_its_share() -> None:
    thirds = area_average(np.array([[0.0, 3.0, 6.0]]), 1, 2)
    assert thirds == pytest.approx(np.array([[(0 + 3 / 2) / 1.5, (3 / 2 + 6) / 1.5]]))


@given(sizes, sizes, sizes, sizes, st.integers(0, 99))
def test_averaging_keeps_the_mean_and_the_range(height: int, width: int, rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    cells = area_average(values, rows, columns)
    assert cells.shape == (rows, columns)
    assert cells.mean() == pytest.approx(values.mean(), abs=1e-6)
    assert values.min() - 1e-6 <= cells.min() <= cells.max() <= values.max() + 1e-6


def test_a_finer_grid_repeats_pixels() -> None:
    values = np.array([[1.0, 2.0]])
    assert area_average(values, 2, 4) == pytest.approx(np.array([[1, 1, 2, 2], [1, 1, 2, 2]]))


def test_blocks_at_the_far_edges_hold_what_is_there() -> None:
    values = np.arange(15.0).reshape(3, 5)
    assert block_areas(3, 5, 2).tolist() == [[4, 4, 2], [2, 2, 1]]
    assert block_sums(values, 2).tolist() == [[0 + 1 + 5 + 6, 2 + 3 + 7 + 8, 4 + 9], [10 + 11, 12 + 13, 14]]
    assert block_average(values, 2).tolist() == [[3, 5, 6.5], [10.5, 12.5, 14]]


def test_blocks_and_cells_agree_where_the_grid_divides_the_photo() -> None:
    values = np.random.default_rng(1).random((24, 40))
    assert block_average(values, 8) == pytest.approx(area_average(values, 3, 5))
