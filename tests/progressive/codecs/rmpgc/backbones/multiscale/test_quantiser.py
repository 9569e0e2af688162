from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.quantiser import (
    DEAD_ZONE,
    MAX_INDEX,
    SPLITS,
    STEP,
    base_index,
    bin_of,
    child_of,
    narrowing_gain,
    outer_gain,
    reach,
    refine,
    width_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES

COEFFICIENTS = torch.linspace(-40, 40, 200_003)


def indices(latent: Tensor) -> list[Tensor]:
    found = [base_index(latent)]
    for plane in range(1, PLANES + 1):
        found.append(child_of(found[-1], refine(latent, found[-1], plane), plane))
    return found


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_every_coefficient_lies_in_its_bin(plane: int) -> None:
    lower, upper = bin_of(indices(COEFFICIENTS)[plane], plane)
    assert (lower - 1e-4 <= COEFFICIENTS).all()
    assert (upper + 1e-4 >= COEFFICIENTS).all()


@pytest.mark.parametrize("plane", range(1, PLANES + 1))
@pytest.mark.parametrize("parent", [-40, -2, -1, 0, 1, 2, 40])
def test_bins_fill_the_bin_they_split(plane: int, parent: int) -> None:
    """Equal parts of it, but for the bin around zero, whose middle is as wide as one side of it is in halves."""
    index = torch.tensor([float(parent)])
    symbols = {-1, 0, 1} if SPLITS[plane - 1] == 3 or parent == 0 else {0, 1 if parent > 0 else -1}
    bins = sorted(
        (float(lower), float(upper))
        for lower, upper in (bin_of(child_of(index, torch.tensor(s), plane), plane) for s in symbols)
    )
    lower, upper = bin_of(index, plane - 1)
    ends = [bins[0][0], *(upper for _, upper in bins)]
    assert [begin for begin, _ in bins[1:]] == ends[1:-1]
    assert (ends[0], ends[-1]) == pytest.approx((float(lower), float(upper)))
    widths = [b - a for a, b in bins]
    if parent:
        assert widths == pytest.approx([widths[0]] * len(widths), rel=1e-3)
    else:
        assert widths[1] == pytest.approx(float(upper - lower) / SPLITS[plane - 1])


@pytest.mark.parametrize("plane", range(1, PLANES + 1))
def test_symbols_that_no_bin_has_do_not_come(plane: int) -> None:
    parents = indices(COEFFICIENTS)[plane - 1]
    symbols = refine(COEFFICIENTS, parents, plane)
    assert set(symbols[parents == 0].tolist()) == {-1, 0, 1}
    assert set(symbols[parents > 0].tolist()) == ({0, 1} if SPLITS[plane - 1] == 2 else {-1, 0, 1})
    assert set(symbols[parents < 0].tolist()) == ({0, -1} if SPLITS[plane - 1] == 2 else {-1, 0, 1})


def test_the_largest_index_is_where_the_last_bin_ends() -> None:
    for plane in range(PLANES + 1):
        largest = indices(torch.tensor([1e6]))[plane]
        assert largest == reach(plane)
        assert bin_of(largest, plane)[1] == pytest.approx(DEAD_ZONE + MAX_INDEX * STEP)


def test_gains_are_what_splitting_a_bin_of_even_density_removes() -> None:
    values = torch.linspace(-DEAD_ZONE, DEAD_ZONE, 100_001, dtype=torch.float64)
    width = torch.linspace(-STEP / 2, STEP / 2, 100_001, dtype=torch.float64)
    for parts in (2, 3):
        outer = values[values > DEAD_ZONE / parts]
        assert outer_gain(parts) == pytest.approx(
            float((outer.square() - (outer - outer.mean()).square()).mean()), rel=1e-3
        )
        part = width[: len(width) // parts]
        left = (part - part.mean()).square().mean()
        assert narrowing_gain(parts) == pytest.approx(float(width.square().mean() - left), rel=1e-3)


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_a_dead_zone_remains(plane: int) -> None:
    lower, upper = bin_of(torch.zeros(1), plane)
    width = float(upper - lower)
    assert width == pytest.approx(2 * DEAD_ZONE * width_of(plane) / STEP, rel=1e-5)
    assert width > width_of(plane)
    assert float(lower) == pytest.approx(-float(upper))


def test_the_base_counts_bins_beyond_the_dead_zone() -> None:
    values = torch.tensor([0.0, 0.99, -0.99, 1.01, -1.01, 1.0 + STEP - 0.01, 1.0 + STEP + 0.01, 1e6, -1e6])
    expected = torch.tensor([0.0, 0, 0, 1, -1, 1, 2, MAX_INDEX, -MAX_INDEX])
    assert torch.equal(base_index(values), expected)


def test_the_quantiser_is_odd_and_a_coefficient_outside_its_bin_takes_the_nearest_part() -> None:
    inside = COEFFICIENTS[COEFFICIENTS.abs() > 1e-3] + 1e-5
    for plus, minus in zip(indices(inside), indices(-inside), strict=True):
        assert (plus != -minus).float().mean() < 1e-3
    parents = torch.tensor([0.0, 0.0, 2.0, 2.0])
    values = torch.tensor([9.0, -9.0, 0.0, 30.0])
    assert refine(values, parents, 1).tolist() == [1, -1, 0, 1]
    assert refine(values, parents, PLANES).tolist() == [1, -1, -1, 1]
