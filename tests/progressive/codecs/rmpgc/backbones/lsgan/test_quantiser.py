from __future__ import annotations

import pytest
import torch

from progressive.codecs.rmpgc.backbones.lsgan.quantiser import LEVELS, REACH, nearest, nearest_with_soft_gradient, soft

VALUES = torch.linspace(-3, 3, 1201, dtype=torch.float64)


def test_the_nearest_level_is_the_one_of_all_that_is_least_far_away() -> None:
    levels = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    assert len(levels) == LEVELS == 5
    inside = VALUES[(VALUES - VALUES.floor() - 0.5).abs() > 1e-3]
    brute = levels[(inside[:, None] - levels).abs().argmin(1)]
    assert torch.equal(nearest(inside), brute)


def test_soft_levels_are_those_of_equation_11() -> None:
    assert float(soft(torch.zeros(1, dtype=torch.float64), 3.0)) == pytest.approx(0, abs=1e-12)
    levels = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    for sigma in (0.5, 2.0, 7.0):
        weights = torch.exp(-sigma * (VALUES[:, None] - levels).abs())
        expected = (weights * levels).sum(1) / weights.sum(1)
        assert torch.allclose(soft(VALUES, sigma), expected)


def test_soft_levels_come_near_the_nearest_as_sigma_grows() -> None:
    apart = [float((soft(VALUES, sigma) - nearest(VALUES)).abs().mean()) for sigma in (1.0, 4.0, 16.0, 64.0)]
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < 0.02


def test_gradients_are_the_soft_ones_and_values_the_nearest() -> None:
    values = VALUES.clone().requires_grad_()
    levels = nearest_with_soft_gradient(values, 4.0)
    assert torch.allclose(levels, nearest(VALUES))
    (found,) = torch.autograd.grad(levels.sum(), values)
    smooth = VALUES.clone().requires_grad_()
    (expected,) = torch.autograd.grad(soft(smooth, 4.0).sum(), smooth)
    assert torch.allclose(found, expected)
    assert float(found.min()) > -1e-9
