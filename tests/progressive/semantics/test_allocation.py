import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import UsageError
from progressive.semantics.allocation import (
    allocate_iterations,
    compression_levels,
    semantic_levels,
)


def levels_of(*values: float) -> np.ndarray:
    return np.array([values]) / sum(values)


def algorithm_1(levels: np.ndarray, mean: float, cap: int) -> np.ndarray:
    """The paper's listing for one pass, with fractions."""
    iterations = levels * mean * levels.size
    excess = np.maximum(iterations - cap, 0).sum()
    rest = iterations <= cap
    iterations = np.minimum(iterations, cap)
    iterations[rest] += excess * levels[rest] / levels[rest].sum()
    return iterations


def test_levels_are_shares_of_the_importance() -> None:
    importance = np.zeros((8, 20))
    importance[:, :8] = 1
    importance[0, 16] = 16
    assert semantic_levels(importance).tolist() == [[64 / 80, 0, 16 / 80]]
    assert semantic_levels(np.zeros((8, 20))).tolist() == [[1 / 3] * 3]


def test_levels_without_a_cap_are_rounded_down() -> None:
    assert compression_levels(levels_of(5, 2, 1), 4).tolist() == [[7, 3, 1]]


def test_the_excess_goes_to_the_others_by_importance() -> None:
    # 40, 6, 2 before the cap; the excess of 16 is shared 3 to 1
    assert allocate_iterations(levels_of(20, 3, 1), 16).tolist() == [[24, 18, 6]]


def test_one_pass_of_the_algorithm_is_enough_where_it_lifts_nobody_over_the_cap() -> None:
    levels = levels_of(60, 9, 7, 5, 3)
    by_listing = algorithm_1(levels, 8, 24)
    assert by_listing.max() == 24
    assert np.abs(allocate_iterations(levels, 8) - by_listing).max() < 1


def test_the_excess_is_shared_again_where_a_pass_lifts_a_block_over_the_cap() -> None:
    levels = levels_of(50, 40, 5, 5)
    assert algorithm_1(levels, 14, 24).max() > 24
    assert allocate_iterations(levels, 14).tolist() == [[24, 24, 4, 4]]


def test_blocks_without_importance_share_what_the_others_cannot_take() -> None:
    assert allocate_iterations(levels_of(1, 0, 0), 12).tolist() == [[24, 6, 6]]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40).filter(lambda v: sum(v) > 0.01),
    st.floats(0, 24),
)
def test_the_mean_is_kept_and_no_block_exceeds_the_cap(values: list[float], mean: float) -> None:
    levels = levels_of(*values)
    iterations = allocate_iterations(levels, mean)
    assert iterations.sum() == round(mean * len(values))
    assert 0 <= iterations.min() <= iterations.max() <= 24
    order = np.argsort(levels[0])
    assert (np.diff(iterations[0][order]) >= -1).all()


def test_a_mean_above_the_cap_is_refused() -> None:
    with pytest.raises(UsageError, match="at most 24"):
        allocate_iterations(levels_of(1, 1), 25)
