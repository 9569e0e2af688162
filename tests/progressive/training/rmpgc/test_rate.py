from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.ideal import plane_bits
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks, places_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.photos import sample_photo
from progressive.training.rmpgc.context import (
    DEAD_ZONE,
    RAMP,
    Context,
    bits_of,
    cost_of,
    index_of,
)
from progressive.training.rmpgc.rate import LevelCost, base_rate, bits_of_planes, parents_and_symbols, rate_of
from progressive.training.rmpgc.start import start_from_marginals


@pytest.fixture(scope="module")
def latent() -> list[Tensor]:
    """Of two photos of 1x2 blocks."""
    astronaut = torch.from_numpy(sample_photo("astronaut").copy()).permute(2, 0, 1) / 255
    with torch.no_grad():
        return Transform().analyse(torch.stack([astronaut[:, 40:104, 128:256], astronaut[:, 200:264, 100:228]]))


@pytest.fixture(scope="module")
def networks(latent: list[Tensor]) -> ProbabilityNetworks:
    torch.manual_seed(0)
    made = ProbabilityNetworks()
    start_from_marginals(made, latent)
    return made


@pytest.mark.parametrize("plane", range(1, PLANES + 1))
def test_parents_and_symbols_are_the_nested_indices(latent: list[Tensor], plane: int) -> None:
    parents, symbols = parents_and_symbols(latent, plane)
    for y, parent, symbol in zip(latent, parents, symbols, strict=True):
        lower, upper = quantiser.bin_of(quantiser.child_of(parent, symbol, plane), plane)
        assert (lower - 1e-4 <= y).all()
        assert (upper + 1e-4 >= y).all()


def test_both_tiers_are_every_symbol_once(networks: ProbabilityNetworks, latent: list[Tensor]) -> None:
    """Which comes first is what the look says, also when the second tier is trained."""
    with torch.no_grad():
        _, contexts = base_rate(networks, latent)
        parents, symbols = (
            [to_blocks(t, s) for t, s in zip(each, BLOCK_SIDES, strict=True)] for each in parents_and_symbols(latent, 2)
        )
        later = []
        for level in (3, 4):
            cost = LevelCost(level, symbols, parents)
            networks.code_level(level, contexts, parents, cost)
            later.append(cost.later)
            assert cost.bits.shape == cost.look_bits.shape == (SCALES,)
            assert cost.bits.sum() > 0
            for scale in range(SCALES):
                expected = symbols[scale] * ~cost.later[scale] if level == 4 else torch.zeros_like(symbols[scale])
                assert torch.equal(cost.known(scale), expected)
    assert all(torch.equal(a, b) for a, b in zip(*later, strict=True))
    share = torch.cat([t.flatten() for t in later[0]]).float().mean()
    assert 0 < share < 1


@pytest.mark.parametrize("level", [3, 4])
def test_a_tier_pays_for_its_own_symbols_and_tells_those_that_are_known(level: int, latent: list[Tensor]) -> None:
    torch.manual_seed(0)
    parents, symbols = parents_and_symbols(latent, 2)
    cost = LevelCost(level, symbols, parents)
    cost.later = [torch.rand(s.shape) < 0.5 for s in symbols]
    *_, place = places_of(3, *symbols[3].shape[2:])
    here, before, late = (place.coefficients(t[3]) for t in (symbols, parents, cost.later))
    drawn = torch.randn(len(here), 4, *here.shape[1:])
    told = cost(place, drawn)
    own = late if level == 4 else ~late
    expected = plane_bits(here, before, drawn, 2)[own].sum()
    assert cost.bits[3].item() == pytest.approx(float(expected), rel=1e-4)
    assert cost.bits.sum() == cost.bits[3] > 0
    assert torch.equal(told, here if level == 4 else here * own)


def test_rates_of_all_planes_are_those_of_their_levels(networks: ProbabilityNetworks, latent: list[Tensor]) -> None:
    with torch.no_grad():
        total = bits_of_planes(networks, latent)
        rates = [rate_of(networks, latent, level) for level in range(1, LEVELS + 1)]
    assert total.shape == (PLANES + 1, SCALES)
    torch.testing.assert_close(total[0], rates[0].base)
    for plane in range(1, PLANES + 1):
        both = sum(r.level for r in rates[TIERS * (plane - 1) : TIERS * plane])
        torch.testing.assert_close(total[plane], both)
    assert all(bool(r.look.sum()) for r in rates)


def test_a_start_from_marginals_costs_less_and_counts_symbols(latent: list[Tensor]) -> None:
    torch.manual_seed(0)
    plain = ProbabilityNetworks()
    with torch.no_grad():
        before = bits_of_planes(plain, latent).sum(1)
        start_from_marginals(plain, latent)
        after = bits_of_planes(plain, latent).sum(1)
    assert (after < before).all()
    assert after.sum() < 0.8 * before.sum()


def test_gradients_reach_every_weight_that_both_tiers_use(networks: ProbabilityNetworks, latent: list[Tensor]) -> None:
    networks.zero_grad()
    for level in (1, 2):
        rate = rate_of(networks, latent, level)
        (rate.base.sum() + rate.level.sum() + rate.look.sum()).backward()
    for name, weight in networks.named_parameters():
        assert weight.grad is not None, name
        if name.endswith("weight"):
            # The first pass of the base comes before all symbols.
            assert bool(weight.grad.any()) == (name != "base.passes.0.see.weight"), name
    networks.zero_grad()


@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -1.0), (0.7, 0.3), (-2.0, 1.0)])
def test_the_context_model_s_bits_are_those_of_a_distribution(mean: float, log_scale: float) -> None:
    index = torch.arange(-300.0, 301.0)
    bits = bits_of(index, torch.tensor(mean), torch.tensor(log_scale))
    assert torch.exp2(-bits.double()).sum().item() == pytest.approx(1, abs=1e-4)
    upper = 1 / (1 + math.exp(-(DEAD_ZONE - mean) / math.exp(log_scale)))
    lower = 1 / (1 + math.exp(-(-DEAD_ZONE - mean) / math.exp(log_scale)))
    assert bits[300].item() == pytest.approx(-math.log2(upper - lower), rel=1e-3)


def test_the_context_model_s_base_step_has_the_codec_s_indices() -> None:
    values = torch.linspace(-20, 20, 4001)
    assert torch.equal(index_of(values, torch.tensor(quantiser.STEP)), quantiser.base_index(values))


def walked(context: Context, indices: list[Tensor]) -> list[Tensor]:
    with torch.no_grad():
        return context(indices, torch.tensor([0.0, 1.5]))


def test_the_context_model_sees_only_what_comes_before(latent: list[Tensor]) -> None:
    torch.manual_seed(0)
    context = Context()
    indices = [index_of(y, torch.tensor(quantiser.STEP)) for y in latent]
    plain = walked(context, indices)
    assert [tuple(p.shape) for p in plain] == [(2, 2, *y.shape[1:]) for y in latent]
    changed = [n.clone() for n in indices]
    changed[3][:, 0, 1::2, 1::2] += 1  # the second corner of luma
    differ = [(a != b) for a, b in zip(plain, walked(context, changed), strict=True)]
    assert not any(bool(d.any()) for d in differ[:3])
    for corner in ((0, 0), (1, 1)):
        assert not differ[3][:, :, :3, corner[0] :: 2, corner[1] :: 2].any()
    assert differ[3][:, :, :3, 0::2, 1::2].any()
    assert differ[3][:, :, 3:].any()
    assert all(bool(d.any()) for d in differ[4:])
    other_rate = context(indices, torch.tensor([1.0, 1.5]))
    assert not any(torch.equal(a[0], b[0]) for a, b in zip(plain, other_rate, strict=True))
    assert all(torch.equal(a[1], b[1]) for a, b in zip(plain, other_rate, strict=True))


def test_costs_change_nothing_but_draw_coefficients_to_where_they_are_cheap() -> None:
    context, step = Context(), torch.full((1, 1, 1, 1), quantiser.STEP)
    values = torch.linspace(-4, 4, 1601).view(1, 1, 1, -1).requires_grad_()
    index = index_of(values.detach(), step)
    cost = cost_of(context, values, index, step, torch.zeros(1, 2, 1, 1, 1).expand(-1, -1, 1, 1, 1601))
    assert cost.bits.item() == pytest.approx(float(bits_of(index, torch.zeros(1), torch.zeros(1)).sum()), rel=1e-5)
    assert cost.marginal.tolist() == cost.bend.tolist() == [0]
    torch.testing.assert_close(cost.values, context.values(index, step))
    gradient = torch.autograd.grad(cost.marginal.sum(), values, retain_graph=True)[0]
    at = values.detach() / quantiser.STEP
    near = (at.abs() - DEAD_ZONE).abs() < 0.45 * RAMP
    assert (torch.sign(gradient) == torch.sign(values))[near].all()
    assert (gradient[at.abs() < DEAD_ZONE - 0.55 * RAMP] == 0).all()
    moved = torch.autograd.grad(cost.values.sum(), values)[0]
    assert (moved >= 0).all()
    assert 0.5 < float(moved.mean()) < 2
