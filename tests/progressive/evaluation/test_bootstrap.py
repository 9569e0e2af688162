from __future__ import annotations

import numpy as np
import pytest

from progressive.errors import UsageError
from progressive.evaluation.bootstrap import estimate


def test_the_interval_is_that_of_a_normal_mean() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = estimate(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05 * half)
    assert found.photos == 400


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert estimate(values, 7) == estimate(values, 7)


def test_one_value_is_its_own_interval_and_none_has_none() -> None:
    found = estimate([5.0])
    assert (found.mean, found.low, found.high) == (5, 5, 5)
    with pytest.raises(UsageError, match="measure one"):
        estimate([])
