"""What the float networks of encoder and decoder promise, before anything is trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.analysis import MEANS, Analysis, HyperAnalysis
from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE, CELL, CHANNELS, HYPER_CHANNELS
from progressive.codecs.rmpgc.backbones.hyperprior.model import MARGIN
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import Quantiser, quantised
from progressive.codecs.rmpgc.backbones.hyperprior.synthesis import Synthesis
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.exact.laplace import MAX_INDEX


@pytest.fixture(scope="module")
def synthesis() -> Synthesis:
    torch.manual_seed(0)
    return Synthesis().eval().requires_grad_(False)


def inputs(rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    linear, values = torch.rand(1, 3, rows * CELL, columns * CELL), torch.randn(1, CHANNELS, rows, columns)
    return linear, values, torch.ones(1, 1, rows, columns)


def test_networks_add_nothing_at_first(synthesis: Synthesis) -> None:
    linear, *others = inputs(4, 4)
    assert torch.equal(synthesis(linear, *others), linear)
    assert not any(bool(added.any()) for added in Analysis()(linear))


def test_latent_and_mask_change_the_picture(synthesis: Synthesis) -> None:
    torch.nn.init.normal_(synthesis.leave.weight, std=0.05)
    linear, values, mask = inputs(4, 4)
    usual = synthesis(linear, values, mask)
    for other in ((linear, values + 1, mask), (linear, values, 0 * mask), (linear + 1, values, mask)):
        assert not torch.allclose(synthesis(*other), usual, atol=1e-4)


@torch.no_grad()
def test_nothing_beyond_the_margin_of_a_piece_is_felt(synthesis: Synthesis) -> None:
    torch.nn.init.normal_(synthesis.leave.weight, std=0.05)
    cells = MARGIN * BLOCK // CELL
    linear, values, mask = inputs(4, cells + 8)
    before = synthesis(linear, values, mask)
    linear[..., -CELL:], values[..., -1], mask[..., -1] = 9.0, 9.0, 0.0
    after = synthesis(linear, values, mask)
    inside = slice(0, 7 * CELL)
    torch.testing.assert_close(after[..., inside], before[..., inside], rtol=0, atol=1e-6)
    assert not torch.allclose(after[..., -4 * CELL :], before[..., -4 * CELL :], atol=1e-3)


def test_the_hyperpriors_start_as_brightness_and_activity() -> None:
    dark, bright = torch.zeros(1, BASE, 4, 8), torch.zeros(1, BASE, 4, 8)
    bright[:, 0, :, :4] = 2.0
    bright[:, 8, :, 4:] = 9.0
    network = HyperAnalysis(BASE, MEANS)
    found = network(bright) - network(dark)
    assert found.shape == (1, HYPER_CHANNELS, 1, 2)
    assert (found[0, 0, 0, 0] > 0.5, found[0, 0, 0, 1] == 0) == (True, True)
    assert (found[0, MEANS, 0, 0] == 0, found[0, MEANS, 0, 1] > 0.5) == (True, True)
    assert not found[:, MEANS + 1 :].any()
    assert float((HyperAnalysis(BASE, 0)(bright) - HyperAnalysis(BASE, 0)(dark)).detach()[0, 0].min()) > 0.5


@torch.no_grad()
def test_the_enhance_layer_refines_what_the_base_leaves() -> None:
    steps, wanted = Quantiser(), torch.randn(1, CHANNELS, 2, 2) * 9
    ratio = steps.base.sizes / steps.enhance.sizes[:BASE]
    base = steps.base.expected(quantised(wanted[:, :BASE] / ratio))
    left = steps.left(wanted, base)
    assert float(left[:, :BASE].abs().max()) <= float(ratio.max()) * 0.61
    found = steps.values(base, left) / steps.enhance.sizes
    torch.testing.assert_close(found, wanted)


def test_coefficients_are_expected_a_little_nearer_to_zero() -> None:
    steps = Quantiser().base
    with torch.no_grad():
        steps.nearer[0], steps.nearer[1] = 0.1, 0.2
    index = torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0]).view(1, 1, 1, 5).expand(1, BASE, 1, 5)
    assert steps.expected(index)[0, 0, 0].tolist() == pytest.approx([-2.8, -0.9, 0.0, 0.9, 1.8])


def test_rounding_prefers_zero() -> None:
    values = torch.tensor([0.55, 0.62, -0.62, -1.7, 999.0])
    assert quantised(values).tolist() == [0.0, 1.0, -1.0, -2.0, MAX_INDEX]
