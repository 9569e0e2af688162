"""The optimiser: kernels move along every direction alike, what is small as Adam moves it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from progressive.training.muon import (
    ADAM_DECAYS,
    MOMENTUM,
    SIZE,
    SMALLEST_SIDE,
    Muon,
    is_kernel,
    orthogonalised,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_gradient(value: Tensor, gradient: Tensor) -> nn.Parameter:
    parameter = nn.Parameter(value.clone())
    parameter.grad = gradient.clone()
    return parameter


@pytest.mark.parametrize("shape", [(16, 16), (48, 432), (192, 48), (24, 54)])
def test_singular_values_become_about_one_and_directions_stay(shape: tuple[int, int]) -> None:
    u, values, v = torch.linalg.svd(random(*shape), full_matrices=False)
    found = orthogonalised(u @ torch.diag(torch.logspace(1.7, 0, len(values))) @ v)
    singular = torch.linalg.svdvals(found)
    assert 0.6 < float(singular.min()) <= float(singular.max()) < 1.3
    turned = u.T @ found @ v.T
    assert float((turned - torch.diag(turned.diagonal())).abs().max()) < 1e-3
    assert (turned.diagonal() > 0).all()


def test_size_does_not_matter_to_what_is_orthogonalised() -> None:
    matrix = random(20, 30)
    torch.testing.assert_close(orthogonalised(1e-3 * matrix), orthogonalised(matrix), atol=1e-3, rtol=0)
    assert torch.equal(orthogonalised(torch.zeros(20, 30)), torch.zeros(20, 30))


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((16, 16, 1, 1), True),
        ((24, 6, 3, 3), True),
        ((48, 48, 3, 3), True),
        ((15, 32, 3, 3), False),
        ((32, 15, 1, 1), False),
        ((64, 1, 5, 5), True),
        ((64, 1, 3, 3), False),
        ((28, 48), False),
        ((48,), False),
    ],
)
def test_kernels_have_two_long_sides(shape: tuple[int, ...], kernel: bool) -> None:
    assert is_kernel(torch.empty(shape)) == kernel
    assert SMALLEST_SIDE == 16


def test_a_kernel_moves_against_its_gradient_by_the_size_of_the_rate() -> None:
    before, gradient = random(32, 16, 3, 3), random(32, 16, 3, 3, seed=1)
    kernel = with_gradient(before, gradient)
    Muon([kernel], rate=0.01).step()
    moved = (kernel.detach() - before).flatten(1)
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.01 * SIZE, rel=0.2)
    torch.testing.assert_close(moved, -0.01 * SIZE * math.sqrt(144) * orthogonalised(gradient.flatten(1)))


def test_a_kernel_follows_nesterov_s_momentum() -> None:
    gradients = [random(16, 32, 1, 1, seed=seed) for seed in range(3)]
    before = random(16, 32, 1, 1)
    kernel = with_gradient(before, gradients[0])
    optimiser, momentum = Muon([kernel], rate=0.01), torch.zeros_like(before)
    for gradient in gradients:
        start = kernel.detach().clone()
        kernel.grad = gradient.clone()
        optimiser.step()
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * gradient
        ahead = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).flatten(1)
        expected = -0.01 * SIZE * math.sqrt(32) * orthogonalised(ahead)
        torch.testing.assert_close((kernel.detach() - start).flatten(1), expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("shape", [(7,), (3, 48), (12, 48, 1, 1)])
def test_what_is_small_follows_adam(shape: tuple[int, ...]) -> None:
    start = random(*shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([ours], rate=3e-3)
    adam = torch.optim.Adam([theirs], lr=3e-3, betas=ADAM_DECAYS)
    for seed in range(6):
        ours.grad = random(*shape, seed=seed)
        theirs.grad = ours.grad.clone()
        muon.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)
    assert not torch.equal(ours, start)


def test_what_has_no_gradient_stays() -> None:
    parameters = [nn.Parameter(random(16, 16, 1, 1)), with_gradient(random(16, 16, 1, 1), random(16, 16, 1, 1))]
    before = [p.detach().clone() for p in parameters]
    Muon(parameters).step()
    assert [torch.equal(p, b) for p, b in zip(parameters, before, strict=True)] == [True, False]


def trained(optimiser_of: type[torch.optim.Optimizer], steps: int) -> float:
    """The loss of a small network that learns what another one does, under inputs of very different size."""
    target, network = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 1)
    for module, seed in ((target, 1), (network, 2)):
        module.weight.data = 0.2 * random(32, 32, 1, 1, seed=seed)
        module.bias.data = random(32, seed=seed)
    x = random(8, 32, 6, 6) * torch.logspace(0, -1.5, 32).view(1, -1, 1, 1)
    optimiser = optimiser_of(network.parameters(), 0.1)  # type: ignore[call-arg]
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * (1 - step / steps)
        loss = (network(x) - target(x)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def test_a_small_problem_is_solved() -> None:
    begin = trained(Muon, 1)
    assert begin > 0.5
    assert trained(Muon, 150) < 0.01 * begin


def test_a_run_that_goes_on_from_its_state_ends_as_one_that_never_stopped() -> None:
    parameters = [nn.Parameter(random(16, 24, 1, 1)), nn.Parameter(random(5))]
    copies = [nn.Parameter(p.detach().clone()) for p in parameters]

    def steps(optimiser: Muon, of: list[nn.Parameter], seeds: range) -> None:
        for seed in seeds:
            for p in of:
                p.grad = random(*p.shape, seed=seed)
            optimiser.step()

    whole, first = Muon(parameters), Muon(copies)
    steps(whole, parameters, range(6))
    steps(first, copies, range(3))
    again = Muon(copies)
    again.load_state_dict(first.state_dict())
    steps(again, copies, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(parameters, copies, strict=True))
