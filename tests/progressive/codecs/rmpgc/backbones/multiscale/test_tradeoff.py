"""What coefficients cost, beside other ways to reckon it, and where its gradients lead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS, Model
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import base_index, bin_of, child_of, refine, width_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import (
    BITS_OF_ERROR,
    RAMP,
    cost_of,
    kept_near,
    reading_of,
    said_of,
)
from progressive.photos import sample_photo
from progressive.training.rmpgc.export import read_model
from progressive.training.rmpgc.model import Trainee
from progressive.training.rmpgc.rate import bits_of_planes


@pytest.fixture(scope="module")
def trainee() -> Trainee:
    return Trainee(*read_model(WEIGHTS)).requires_grad_(False)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Two of 1x2 blocks."""
    astronaut = torch.from_numpy(sample_photo("astronaut").copy()).permute(2, 0, 1) / 255
    return torch.stack([astronaut[:, 40:104, 128:256], astronaut[:, 200:264, 100:228]])


@pytest.fixture(scope="module")
def latent(trainee: Trainee, photos: Tensor) -> list[Tensor]:
    return trainee.transform.analyse(photos)


@pytest.fixture(scope="module")
def reading(latent: list[Tensor]) -> Tensor:
    return reading_of(latent)


def index_of(values: Tensor, plane: int) -> Tensor:
    index = base_index(values)
    for finer in range(1, plane + 1):
        index = child_of(index, refine(values, index, finer), finer)
    return index


def test_bits_are_those_of_all_planes_so_far(trainee: Trainee, latent: list[Tensor], reading: Tensor) -> None:
    expected = bits_of_planes(trainee.networks, latent).sum(1).cumsum(0)
    for plane in range(PLANES + 1):
        bits = cost_of(said_of(trainee.networks, latent, plane), latent, plane, reading).bits
        assert float(bits.sum()) == pytest.approx(float(expected[plane]), rel=1e-3)
        assert bits.shape == (2,)


def test_exact_networks_reckon_nearly_the_same(trainee: Trainee, latent: list[Tensor], reading: Tensor) -> None:
    exact = Model.load().coding.networks
    for plane in (0, 2):
        found, expected = (
            cost_of(said_of(networks, latent, plane), latent, plane, reading).bits
            for networks in (exact, trainee.networks)
        )
        assert torch.allclose(found, expected, rtol=0.06)


@pytest.mark.parametrize("plane", [0, 1, PLANES])
def test_values_lie_in_the_bins_of_what_is_coded(
    trainee: Trainee, latent: list[Tensor], reading: Tensor, plane: int
) -> None:
    cost = cost_of(said_of(trainee.networks, latent, plane), latent, plane, reading)
    assert not cost.marginal.any()
    assert not cost.bend.any()
    for y, value in zip(latent, cost.values, strict=True):
        lower, upper = bin_of(index_of(y, plane), plane)
        assert (value >= lower - 1e-5).all()
        assert (value <= upper + 1e-5).all()


def test_only_coefficients_near_an_edge_feel_the_other_side(
    trainee: Trainee, latent: list[Tensor], reading: Tensor
) -> None:
    """And what has just left the bin around zero would save bits by going back."""
    moved = [y.clone().requires_grad_(True) for y in latent]
    cost_of(said_of(trainee.networks, moved, 1), moved, 1, reading).marginal.sum().backward()
    reach = RAMP * width_of(1) / 2
    for y in moved:
        assert y.grad is not None
        lower, upper = bin_of(index_of(y.detach(), 1), 1)
        inside = torch.minimum(y.detach() - lower, upper - y.detach())
        assert not y.grad[inside > reach + 1e-5].any()
    finest = moved[-1].detach()
    just_out = (index_of(finest, 1).abs() == 1) & (finest.abs() - bin_of(torch.ones(1), 1)[0] < reach / 2)
    assert just_out.any()
    assert float((moved[-1].grad * torch.sign(finest))[just_out].mean()) > 0  # type: ignore[operator]


@pytest.mark.parametrize("plane", [0, 2])
def test_steps_down_the_gradient_are_worth_it(
    trainee: Trainee, photos: Tensor, latent: list[Tensor], reading: Tensor, plane: int
) -> None:
    """By bits and errors of what is coded then, as far as this reckoning is true."""
    slope = BITS_OF_ERROR / width_of(plane) ** 2

    def weighed(values: list[Tensor]) -> float:
        with torch.no_grad():
            cost = cost_of(said_of(trainee.networks, values, plane), values, plane, reading)
            error = (trainee.transform.synthesise(cost.values) - photos).square().sum((1, 2, 3))
            return float((cost.bits + slope * error).sum())

    moved = [y.clone().requires_grad_(True) for y in latent]
    optimiser = torch.optim.Adam(moved, 0.02 * width_of(plane))
    for _ in range(4):
        cost = cost_of(said_of(trainee.networks, moved, plane), moved, plane, reading)
        error = (trainee.transform.synthesise(cost.values) - photos).square().sum((1, 2, 3))
        optimiser.zero_grad()
        cost.traded(error, plane).sum().backward()
        optimiser.step()
    assert weighed([y.detach() for y in moved]) < 0.99 * weighed(latent)


@pytest.mark.parametrize("plane", [1, 3])
def test_what_finer_planes_alone_see_of_a_move_is_taken_back(latent: list[Tensor], plane: int) -> None:
    generator = torch.Generator().manual_seed(plane)
    moved = [y + 0.4 * width_of(plane) * torch.randn(y.shape, generator=generator) for y in latent]
    kept = kept_near(latent, moved, plane)
    for y, target, found in zip(latent, moved, kept, strict=True):
        assert torch.equal(index_of(found, plane), index_of(target, plane))
        stays = index_of(y, plane) == index_of(target, plane)
        assert ((found - y)[stays].abs() <= 0.02 * width_of(plane)).all()
        assert ((found - y).abs() <= (target - y).abs() + 0.02 * width_of(plane)).all()
