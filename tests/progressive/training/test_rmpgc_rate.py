from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc import quantiser, wavelet
from progressive.codecs.rmpgc.layout import LEVELS, PLANES, SCALES, STAGES, TIERS
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Dequantiser, state_of
from progressive.photos import sample_photo
from progressive.training.rmpgc_conditions import indices_of, movable_values_under, slope_of, values_under
from progressive.training.rmpgc_rate import (
    base_bits,
    bits_of_planes,
    blocks_of,
    expected_slope,
    plane_bits,
    rate_of_planes,
    unblocked,
)
from progressive.training.rmpgc_relaxation import RAMP, crossing
from progressive.training.rmpgc_start import start_from_marginals


@pytest.fixture(scope="module")
def photos() -> Tensor:
    astronaut = torch.from_numpy(sample_photo("astronaut").copy()).permute(2, 0, 1) / 255
    return torch.stack([astronaut[:, :128, 128:256], astronaut[:, 200:328, 100:228]])


@pytest.fixture(scope="module")
def networks(photos: Tensor) -> ProbabilityNetworks:
    torch.manual_seed(0)
    made = ProbabilityNetworks()
    start_from_marginals(made, wavelet.analyse(photos))
    return made


def parameters(*values: float) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1, 1)


@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -1.0), (0.3, 0.0), (-2.4, 1.5)])
def test_base_bits_are_those_of_a_distribution(mean: float, log_scale: float) -> None:
    index = torch.arange(-200.0, 201.0)
    bits = base_bits(index, torch.tensor(mean), torch.tensor(log_scale))
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-4)
    below, above = ((n + 0.5 - mean) / math.exp(log_scale) for n in (-5.0, -4.0))
    assert bits[200 - 4].item() == pytest.approx(-math.log2(0.5 * (math.exp(above) - math.exp(below))), rel=1e-3)


@pytest.mark.parametrize("parent", [0.0, 2.0, -3.0])
def test_plane_bits_are_those_of_a_distribution(parent: float) -> None:
    symbols, parents = torch.tensor([-1.0, 0.0, 1.0]), torch.full((3,), parent)
    known = parameters(0.4, -0.7, 1.2, 0.9).expand(1, 4, 1, 1, 3)
    bits = plane_bits(symbols.view(1, 1, 1, 3), parents.view(1, 1, 1, 3), known)[0, 0, 0]
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-5)
    coded = torch.sigmoid(torch.tensor(1.2 if parent else 0.4)).item()
    outward = torch.sigmoid(torch.tensor(0.9 if parent else -0.7)).item()
    assert bits[1].item() == pytest.approx(-math.log2(1 - coded), rel=1e-4)
    away = 0 if parent < 0 else 2
    assert bits[away].item() == pytest.approx(-math.log2(coded * outward), rel=1e-4)


def test_a_symbol_is_worth_more_the_surer_it_is_to_matter() -> None:
    rare, likely = (expected_slope(torch.zeros(1), parameters(odds, 0.0, 0.0, 0.0)).item() for odds in (-5.0, 0.0))
    assert 0 < rare < likely


def test_blocks_go_apart_and_together_again() -> None:
    grid = torch.rand(2, 3, 16, 24)
    blocks = blocks_of(grid, 8)
    assert blocks.shape == (12, 3, 8, 8)
    assert torch.equal(blocks[7], grid[1, :, :8, 8:16])
    assert torch.equal(unblocked(blocks, 2, 2, 3), grid)


@pytest.mark.parametrize("plane", range(PLANES + 1))
def test_a_crossing_leads_to_the_neighbour_that_is_nearer(plane: int) -> None:
    latent = torch.linspace(-6, 6, 4001, requires_grad=True)
    index = indices_of([latent])[plane][0]
    step = crossing(latent, index, plane)
    assert (step.share == 0).all()
    lower, upper = quantiser.bin_of(index + step.direction, plane)
    middle = sum(quantiser.bin_of(index, plane)) / 2
    beyond = torch.where(step.direction > 0, lower, upper)
    moving = step.direction != 0
    assert ((beyond - middle) * (latent - middle) >= 0)[moving].all()
    slope = torch.autograd.grad(step.share.sum(), latent)[0]
    assert torch.equal(torch.sign(slope)[moving], step.direction[moving])
    torch.testing.assert_close(slope[moving].abs().median().item(), 1 / (RAMP * quantiser.width_of(plane)))
    assert (step.direction[latent.abs() < 0.02] == 0).all()


def test_both_tiers_of_all_blocks_are_what_half_of_them_estimate(photos: Tensor, networks: ProbabilityNetworks) -> None:
    latent = wavelet.analyse(photos)
    with torch.no_grad():
        whole, indices = bits_of_planes(networks, latent)
        nothing = torch.zeros(2, 2, 2, dtype=torch.bool)
        early, late = (rate_of_planes(networks, latent, chosen) for chosen in (nothing, ~nothing))
    assert all(
        torch.equal(a, b) for a, b in zip(indices, indices_of(latent), strict=True) for a, b in zip(a, b, strict=True)
    )
    torch.testing.assert_close(early.bits[0], whole[0])
    for plane in range(1, PLANES + 1):
        assert whole[plane].shape == (2, SCALES)
        assert (early.bits[plane].sum(), late.bits[plane].sum()) > (0, 0)
        both = (early.bits[plane] + late.bits[plane]) / 2
        torch.testing.assert_close(both.sum(), whole[plane].sum(), rtol=0.03, atol=0)


def test_marginal_bits_change_nothing_but_draw_coefficients_to_where_they_are_cheap(
    photos: Tensor, networks: ProbabilityNetworks
) -> None:
    latent = [y.requires_grad_() for y in wavelet.analyse(photos)]
    rate = rate_of_planes(networks, latent, torch.zeros(2, 2, 2, dtype=torch.bool), marginal=True)
    assert (rate.marginal_base == 0).all()
    assert all((bits == 0).all() for bits in rate.marginal)
    for y, gradient in zip(latent[3:], torch.autograd.grad(rate.marginal_base.sum(), latent)[3:], strict=True):
        leaving = (y.abs() > 0.85) & (y.abs() < quantiser.DEAD_ZONE)
        assert (torch.sign(gradient) == torch.sign(y))[leaving].float().mean() > 0.95
        assert (gradient[y.abs() < 0.7] == 0).all()


def test_values_follow_the_states(photos: Tensor) -> None:
    latent = wavelet.analyse(photos)
    indices, dequantiser = indices_of(latent), Dequantiser()
    tiers = [[torch.rand(n.shape) < 0.5 for n in plane] for plane in indices[1:]]
    states = torch.tensor([0, 1, 5, 5, 6, 7, 10, 11]).view(2, 2, 2)
    values = values_under(dequantiser, latent, indices, tiers, states)
    finest, known = values[-1], dequantiser
    assert (finest[0][:, :16] == 0).all()
    assert torch.equal(finest[0, :, 16:], known(indices[0][-1], 0, 4)[0, :, 16:])
    late = tiers[0][-1][1, :, :16, :16]
    expected = torch.where(
        late, known(indices[0][-1], 0, 4)[1, :, :16, :16], known(indices[1][-1], 1, 4)[1, :, :16, :16]
    )
    assert torch.equal(finest[1, :, :16, :16], expected)
    assert torch.equal(finest[1, :, :16, 16:], known(indices[1][-1], 1, 4)[1, :, :16, 16:])
    assert torch.equal(finest[1, :, 16:, 16:], known(indices[3][-1], 3, 4)[1, :, 16:, 16:])
    assert (values[0][0, :, 0, 0] == 0).all()
    assert torch.equal(values[0][0, :, 0, 1], known(indices[0][0], 0, 0)[0, :, 0, 1])


def test_movable_values_are_the_values_and_move_by_leaps(photos: Tensor) -> None:
    latent = [y.requires_grad_() for y in wavelet.analyse(photos)]
    indices, dequantiser = indices_of(latent), Dequantiser()
    tiers = [[torch.zeros_like(n, dtype=torch.bool) for n in plane] for plane in indices[1:]]
    states = torch.full((2, 2, 2), state_of(len(STAGES), LEVELS))
    plain = values_under(dequantiser, latent, indices, tiers, states)
    values, bend = movable_values_under(dequantiser, latent, indices, tiers, states)
    assert (bend == 0).all()
    for scale, (a, b) in enumerate(zip(plain, values, strict=True)):
        torch.testing.assert_close(a, b)
        gradient = torch.autograd.grad(b.sum(), latent[scale], retain_graph=True)[0]
        assert ((gradient >= 0) & (RAMP * gradient < 2.5)).all()
        assert 0.6 < RAMP * gradient[gradient > 0].mean() < 1.7


def test_a_level_costs_by_the_width_of_its_bins() -> None:
    """A plane that halves bins makes a unit of squared error worth four times the bits, one of thirds nine times.

    At low rates it is worth more bits than at high ones, 6 / ln 2 for bins of width one, but not twice as many.
    """
    slopes = [slope_of(torch.full((1, 2, 2), state_of(len(STAGES), level))).item() for level in range(LEVELS + 1)]
    assert 1 < slopes[0] / (6 / math.log(2) / quantiser.STEP**2) < 2
    steps = [fine / coarse for coarse, fine in zip(slopes[::TIERS], slopes[TIERS::TIERS], strict=False)]
    assert steps == pytest.approx([parts**2 for parts in quantiser.SPLITS])
    assert slopes[1] ** 2 == pytest.approx(slopes[0] * slopes[2])
    assert slopes == sorted(slopes)
