from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.ideal import SURE, base_bits, expected_slope, plane_bits
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES


def parameters(*values: float) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1, 1)


@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -1.0), (0.3, 0.0), (-2.4, 1.5)])
def test_base_bits_are_those_of_a_distribution(mean: float, log_scale: float) -> None:
    index = torch.arange(-200.0, 201.0)
    bits = base_bits(index, torch.tensor(mean), torch.tensor(log_scale))
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-4)
    below, above = ((n + 0.5 - mean) / math.exp(log_scale) for n in (-5.0, -4.0))
    assert bits[200 - 4].item() == pytest.approx(-math.log2(0.5 * (math.exp(above) - math.exp(below))), rel=1e-3)


@pytest.mark.parametrize("plane", [1, PLANES])
@pytest.mark.parametrize("parent", [0.0, 2.0, -3.0])
def test_plane_bits_are_those_of_a_distribution(parent: float, plane: int) -> None:
    symbols, parents = torch.tensor([-1.0, 0.0, 1.0]), torch.full((3,), parent)
    known = parameters(0.4, -0.7, 1.2, 0.9).expand(1, 4, 1, 1, 3)
    bits = plane_bits(symbols.view(1, 1, 1, 3), parents.view(1, 1, 1, 3), known, plane)[0, 0, 0]
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-5)
    coded = torch.sigmoid(torch.tensor(1.2 if parent else 0.4)).item()
    beyond = 0.9 if quantiser.SPLITS[plane - 1] == 3 else SURE
    outward = torch.sigmoid(torch.tensor(beyond if parent else -0.7)).item()
    assert bits[1].item() == pytest.approx(-math.log2(1 - coded), rel=1e-4)
    away = 0 if parent < 0 else 2
    assert bits[away].item() == pytest.approx(-math.log2(coded * outward), rel=1e-4)


def test_a_symbol_is_worth_more_the_surer_it_is_to_matter() -> None:
    rare, likely = (expected_slope(torch.zeros(1), torch.tensor([odds]), 1).item() for odds in (-5.0, 0.0))
    assert 0 < rare < likely
    even = expected_slope(torch.ones(1), torch.zeros(1), 1).item()
    assert even == pytest.approx(quantiser.narrowing_gain(2) / 1.5, rel=1e-4)
