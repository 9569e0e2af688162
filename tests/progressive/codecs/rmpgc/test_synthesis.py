from __future__ import annotations

import pytest
import torch

from progressive.codecs.rmpgc import quantiser, wavelet
from progressive.codecs.rmpgc.analysis import Analysis
from progressive.codecs.rmpgc.layout import LEVELS, PLANES, SCALES, STAGES, TIERS, plane_and_tier
from progressive.codecs.rmpgc.synthesis import MISSING, Dequantiser, Synthesis, in_plane, spread, state_of, whole_planes
from progressive.photos import sample_photo

PHOTOS = torch.rand(2, 3, 128, 192, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", range(SCALES))
def test_a_block_has_the_planes_of_the_levels_it_has_reached(scale: int) -> None:
    for level in range(LEVELS + 1):
        brought = [plane_and_tier(step) for step in range(1, level + 1)]
        states = torch.tensor([state_of(len(STAGES), level)])
        assert whole_planes(states, scale).tolist() == [sum(tier == TIERS - 1 for _, tier in brought)]
        assert in_plane(states).tolist() == [bool(brought) and brought[-1][1] < TIERS - 1]
    assert [p for p, _ in map(plane_and_tier, range(1, LEVELS + 1))] == sorted([*range(1, PLANES + 1)] * TIERS)


@pytest.mark.parametrize("scale", range(SCALES))
def test_a_block_whose_base_is_missing_has_nothing_of_the_scales_that_miss(scale: int) -> None:
    assert whole_planes(torch.tensor([MISSING]), scale).tolist() == [-1]
    for stages in range(len(STAGES) + 1):
        there = any(scale in STAGES[stage] for stage in range(stages))
        assert whole_planes(torch.tensor([state_of(stages, 0)]), scale).tolist() == [0 if there else -1]
        assert not in_plane(torch.tensor([state_of(stages, 0)])).any()


def test_in_a_block_between_two_levels_the_first_tier_is_finer() -> None:
    index, symbols = torch.tensor([0.0, 1.0, -2.0, 0.0]).view(4, 1, 1), torch.tensor([1.0, 0.0, 0.0, 0.0]).view(4, 1, 1)
    index, symbols = (t.repeat(3, 1, 1)[None] for t in (index, symbols))
    tiers = torch.tensor([0, 0, 1, 1], dtype=torch.uint8).view(4, 1, 1).repeat(3, 1, 1)[None]
    dequantiser = Dequantiser()
    values = dequantiser.at_level(index, symbols, tiers, 1, 0)
    coarse, fine = dequantiser(index, 0, 0), dequantiser(2 * index + symbols, 1, 0)
    assert torch.equal(values, torch.where(tiers == 0, fine, coarse))
    assert not torch.equal(values, coarse)
    assert torch.equal(dequantiser.at_level(index, symbols, tiers, 2, 0), dequantiser(index, 1, 0))


@torch.inference_mode()
def test_untrained_networks_are_the_wavelet_and_its_inverse() -> None:
    latent = wavelet.analyse(PHOTOS)
    for found, expected in zip(Analysis()(PHOTOS), latent, strict=True):
        torch.testing.assert_close(found, expected)
    states = torch.full((2, 2, 3), state_of(len(STAGES), LEVELS))
    torch.testing.assert_close(Synthesis()(latent, states), wavelet.synthesise(latent))


def test_the_analysis_costs_what_it_says() -> None:
    """At most 0.8 billion multiplications for 768x512 pixels, the wavelet's apart."""
    counted = 0

    def count(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, torch.nn.Conv2d)
        counted += output.numel() * layer.weight[0].numel()

    analysis = Analysis()
    for layer in analysis.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        analysis.learned(PHOTOS[:1])
    assert counted * 16 <= 0.8e9


@torch.inference_mode()
def test_dequantised_values_lie_in_their_bins_and_fitting_brings_them_nearer() -> None:
    photo = torch.from_numpy(sample_photo("astronaut")[:256, :256].copy()).permute(2, 0, 1)[None] / 255
    latent = wavelet.analyse(photo)
    index = [quantiser.base_index(y) for y in latent]
    plain, fitted = Dequantiser(), Dequantiser()
    fitted.fit(latent, index, 0)
    error = {plain: 0.0, fitted: 0.0}
    for scale, (y, n) in enumerate(zip(latent, index, strict=True)):
        lower, upper = quantiser.bin_of(n, 0)
        for dequantiser in error:
            value = dequantiser(n, 0, scale)
            assert ((lower <= value) & (value <= upper)).all()
            assert (value[n == 0] == 0).all()
            error[dequantiser] += float((value - y).square().sum())
    assert error[fitted] < error[plain]


def test_a_value_a_block_is_spread_over_its_positions() -> None:
    values = torch.arange(6.0).view(1, 2, 3)
    for scale in range(SCALES):
        over = spread(values, scale)
        side = 2**scale
        assert over.shape == (1, 1, 2 * side, 3 * side)
        torch.testing.assert_close(torch.nn.functional.avg_pool2d(over, side)[:, 0], values)
