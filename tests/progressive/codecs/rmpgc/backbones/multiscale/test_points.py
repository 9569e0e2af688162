from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codecs.rmpgc.backbones.multiscale.points import UNITS, shares_at, values_at, values_of
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import bin_of, reach
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES

EVERY_POINT = np.arange(-UNITS // 2, UNITS // 2)


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_points_lie_evenly_in_their_bins_and_every_place_has_one(plane: int) -> None:
    for number in (-reach(plane), -2, 0, 1, reach(plane)):
        index = np.full(UNITS, number, np.int32)
        values = values_at(index, EVERY_POINT.astype(np.int8), plane)
        lower, upper = (float(end) for end in bin_of(torch.tensor(float(number)), plane))
        width = upper - lower
        assert values[0] == pytest.approx(lower, abs=1e-4)
        assert values[UNITS // 2] == pytest.approx((lower + upper) / 2, abs=1e-4)
        np.testing.assert_allclose(np.diff(values), width / UNITS, rtol=0.02, atol=1e-5)
        np.testing.assert_allclose(shares_at(values, index, plane), EVERY_POINT, atol=0.05)


def test_what_lies_outside_its_bin_counts_as_at_the_edge() -> None:
    index = np.array([0, 0, 3, -3], np.int32)
    shares = shares_at(np.array([9, -9, 0, 0], np.float32), index, 1)
    assert shares.tolist() == [UNITS / 2, -UNITS / 2, -UNITS / 2, UNITS / 2]


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_tensors_have_the_same_values_as_arrays(plane: int) -> None:
    random = np.random.default_rng(plane)
    index = random.integers(-reach(plane), reach(plane) + 1, (2, 3, 4, 4)).astype(np.int32)
    points = random.integers(-UNITS // 2, UNITS // 2, index.shape).astype(np.int8)
    found = values_of(torch.from_numpy(index.astype(np.int16)), torch.from_numpy(points), plane)
    np.testing.assert_array_equal(found.numpy(), values_at(index, points, plane))
