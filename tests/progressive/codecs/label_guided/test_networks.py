"""What the float networks of encoder and decoder promise, before anything is trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.label_guided.analysis import Analysis, HyperAnalysis
from progressive.codecs.label_guided.classes import BLANK, COUNT
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS
from progressive.codecs.label_guided.layout import CELL, MARGIN
from progressive.codecs.label_guided.prior import HYPER_CHANNELS
from progressive.codecs.label_guided.synthesis import Spade, Synthesis
from progressive.segments.tiles import BLOCK

LEVEL = torch.tensor([20])


@pytest.fixture(scope="module")
def synthesis() -> Synthesis:
    torch.manual_seed(0)
    return Synthesis().eval().requires_grad_(False)


def inputs(rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    linear, values = torch.rand(1, 3, rows * CELL, columns * CELL), torch.randn(1, CHANNELS, rows, columns)
    labels = torch.randint(0, COUNT, (1, rows, columns))
    return linear, values, labels, torch.full_like(labels, len(GROUPS)), LEVEL


def test_networks_add_nothing_at_first(synthesis: Synthesis) -> None:
    linear, *others = inputs(4, 4)
    assert torch.equal(synthesis(linear, *others), linear)
    assert not Analysis()(linear, LEVEL).any()


def test_spade_is_the_papers_equation_with_each_position_normalised() -> None:
    """Eq. 7 with mean and deviation over channels; features of zero leave them as they are."""
    torch.manual_seed(2)
    spade, h, semantic = Spade(8, 4, 3), torch.randn(2, 8, 5, 6) * 3 + 1, torch.randn(2, 4, 5, 6)
    mean, deviation = h.mean(1, keepdim=True), h.std(1, unbiased=False, keepdim=True)
    scale, shift = spade.gamma_beta(semantic).chunk(2, 1)
    torch.testing.assert_close(spade(h, semantic), (h - mean) / deviation * (1 + scale) + shift, rtol=1e-3, atol=1e-3)
    plain = spade(h, torch.zeros_like(semantic))
    torch.testing.assert_close(plain.mean(1), torch.zeros(2, 5, 6), rtol=0, atol=1e-5)


def test_labels_and_what_is_known_change_the_picture(synthesis: Synthesis) -> None:
    torch.nn.init.normal_(synthesis.leave.weight, std=0.05)
    linear, values, labels, known, level = inputs(4, 4)
    usual = synthesis(linear, values, labels, known, level)
    for other in (
        (linear, values, torch.full_like(labels, BLANK), known, level),
        (linear, values, (labels + 1) % COUNT, known, level),
        (linear, values, labels, known - 1, level),
        (linear, values, labels, known, level + 9),
    ):
        assert not torch.allclose(synthesis(*other), usual, atol=1e-4)


@torch.no_grad()
def test_nothing_beyond_the_margin_of_a_piece_is_felt(synthesis: Synthesis) -> None:
    torch.nn.init.normal_(synthesis.leave.weight, std=0.05)
    cells = MARGIN * BLOCK // CELL
    linear, values, labels, known, level = inputs(4, cells + 8)
    before = synthesis(linear, values, labels, known, level)
    linear[..., -CELL:], values[..., -1], labels[..., -1] = 9.0, 9.0, (labels[..., -1] + 1) % COUNT
    after = synthesis(linear, values, labels, known, level)
    inside = slice(0, 7 * CELL)
    torch.testing.assert_close(after[..., inside], before[..., inside], rtol=0, atol=1e-6)
    assert not torch.allclose(after[..., -4 * CELL :], before[..., -4 * CELL :], atol=1e-3)


def test_the_hyperprior_starts_as_brightness_and_activity() -> None:
    network = HyperAnalysis()
    dark, bright = torch.zeros(1, CHANNELS, 4, 8), torch.zeros(1, CHANNELS, 4, 8)
    bright[:, 0, :, :4] = 2.0
    bright[:, 8, :, 4:] = 9.0
    found = network(bright, LEVEL) - network(dark, LEVEL)
    assert found.shape == (1, HYPER_CHANNELS, 1, 2)
    assert (found[0, 0, 0, 0] > 0.5, found[0, 0, 0, 1] == 0) == (True, True)
    assert (found[0, 1, 0, 0] == 0, found[0, 1, 0, 1] > 0.5) == (True, True)
    assert not found[:, 2:].any()
