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
    assert estimate([1.0, 1.0]).in_words(".2f") == "1.00 (1.00 to 1.00)"


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert estimate(values, 7) == estimate(values, 7)


def test_of_one_photo_there_is_a_mean_without_an_interval_and_of_none_nothing() -> None:
    found = estimate([5.0])
    assert found.mean == 5
    assert np.isnan([found.low, found.high]).all()
    assert found.in_words("+.1f", " dB") == "+5.0 dB (n = 1)"
    with pytest.raises(UsageError, match="measure one"):
        estimate([])
