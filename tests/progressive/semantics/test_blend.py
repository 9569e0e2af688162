import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu

from progressive.errors import UsageError
from progressive.photos import sample_photo
from progressive.semantics.blend import (
    contextual_importance,
    hierarchical_blend,
    otsu_threshold,
    relative_complexity,
    salient_partition,
)
from progressive.semantics.complexity import photo_complexity

maps = arrays(np.float64, (4, 5), elements=st.sampled_from([i / 20 for i in range(21)]))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_the_partition_of_a_photo_is_that_of_scikit_image(name: str) -> None:
    green = sample_photo(name)[..., 1]
    assert otsu_threshold(green) == threshold_otsu(green)
    assert np.array_equal(salient_partition(green / 255), green > threshold_otsu(green))


@given(maps)
def test_no_division_has_a_larger_variance_between_the_classes(values: np.ndarray) -> None:
    def between(threshold: float) -> float:
        above = values > threshold
        share = above.mean()
        if share in {0, 1}:
            return 0.0
        return float(share * (1 - share) * (values[above].mean() - values[~above].mean()) ** 2)

    assert between(otsu_threshold(values)) == pytest.approx(max(between(t) for t in np.unique(values)))


def test_a_flat_map_has_nothing_salient() -> None:
    assert not salient_partition(np.full((3, 3), 0.4)).any()


def test_the_blend_by_hand() -> None:
    sim = np.array([[0.9, 0.1], [0.8, 0.0]])
    lcm = np.array([[5.0, 0.0], [0.0, math.log(3)]])
    assert hierarchical_blend(sim, lcm) == pytest.approx(np.array([[1.9, 0.5], [1.8, 0.75]]))


@given(maps, maps)
def test_the_blend_keeps_both_orders_and_puts_meaning_first(sim: np.ndarray, lcm: np.ndarray) -> None:
    salient = salient_partition(sim)
    blend = contextual_importance(sim, 1e6 * lcm, "hybrid")
    assert (np.argsort(blend[salient], kind="stable") == np.argsort(sim[salient], kind="stable")).all()
    assert (np.argsort(blend[~salient], kind="stable") == np.argsort(lcm[~salient], kind="stable")).all()
    assert (blend[salient] > 1).all()
    assert ((blend[~salient] >= 0.5) & (blend[~salient] < 1)).all()


def test_contexts_take_one_map_or_both() -> None:
    sim, lcm = np.array([[1.0, 0.2, 0.1]]), np.array([[0.0, 2.0, 4.0]])
    assert contextual_importance(sim, lcm, "classify") == pytest.approx(sim)
    assert contextual_importance(sim, lcm, "reconstruct") == pytest.approx(np.array([[0, 0.5, 1]]))
    assert np.argsort(-contextual_importance(sim, lcm, "hybrid")).tolist() == [[0, 2, 1]]


def test_flat_photos_have_finite_importance() -> None:
    lcm = photo_complexity(np.full((16, 16, 3), 90, np.uint8))
    assert np.isfinite(relative_complexity(lcm)).all()
    assert np.isfinite(contextual_importance(np.zeros((2, 2)), np.zeros((2, 2)))).all()


def test_what_does_not_blend_is_refused() -> None:
    with pytest.raises(UsageError, match="classify, reconstruct, hybrid"):
        contextual_importance(np.zeros((2, 2)), np.zeros((2, 2)), "paint")
    with pytest.raises(UsageError, match="one grid"):
        contextual_importance(np.zeros((2, 2)), np.zeros((2, 3)))
