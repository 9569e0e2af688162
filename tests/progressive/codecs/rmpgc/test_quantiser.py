from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.layout import PLANES
from progressive.codecs.rmpgc.quantiser import DEAD_ZONE, MAX_INDEX, STEP, ZERO_SHARE, base_index, bin_of, refine

COEFFICIENTS = torch.linspace(-40, 40, 200_003)


def indices(latent: Tensor) -> list[Tensor]:
    found = [base_index(latent)]
    for plane in range(1, PLANES + 1):
        found.append(3 * found[-1] + refine(latent, found[-1], plane))
    return found


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_every_coefficient_lies_in_its_bin(plane: int) -> None:
    lower, upper = bin_of(indices(COEFFICIENTS)[plane], plane)
    assert (lower - 1e-4 <= COEFFICIENTS).all()
    assert (upper + 1e-4 >= COEFFICIENTS).all()


@pytest.mark.parametrize("plane", range(1, PLANES + 1))
def test_three_bins_fill_the_bin_they_split(plane: int) -> None:
    parents = torch.arange(-40.0, 41.0)
    lower, upper = bin_of(parents, plane - 1)
    parts = [bin_of(3 * parents + s, plane) for s in (-1, 0, 1)]
    for left, right in (
        (parts[0][0], lower),
        (parts[0][1], parts[1][0]),
        (parts[1][1], parts[2][0]),
        (parts[2][1], upper),
    ):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=0)


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_a_dead_zone_remains(plane: int) -> None:
    lower, upper = bin_of(torch.zeros(1), plane)
    width = float(upper - lower)
    assert width == pytest.approx(2 * DEAD_ZONE * ZERO_SHARE**plane, rel=1e-5)
    assert width > STEP / 3**plane
    assert float(lower) == pytest.approx(-float(upper))


def test_the_base_counts_bins_beyond_the_dead_zone() -> None:
    values = torch.tensor([0.0, 0.99, -0.99, 1.01, -1.01, 1.0 + STEP - 0.01, 1.0 + STEP + 0.01, 1e6, -1e6])
    expected = torch.tensor([0.0, 0, 0, 1, -1, 1, 2, MAX_INDEX, -MAX_INDEX])
    assert torch.equal(base_index(values), expected)


def test_the_quantiser_is_odd_and_a_coefficient_outside_its_bin_takes_the_nearest_third() -> None:
    inside = COEFFICIENTS[COEFFICIENTS.abs() > 1e-3] + 1e-5
    for plus, minus in zip(indices(inside), indices(-inside), strict=True):
        assert (plus != -minus).float().mean() < 1e-3
    parents = torch.tensor([0.0, 0.0, 2.0, 2.0])
    assert refine(torch.tensor([9.0, -9.0, 0.0, 30.0]), parents, 1).tolist() == [1, -1, -1, 1]
