from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.hierarchical_vae.latents import LATENTS
from progressive.codecs.hierarchical_vae.prior import Prior
from progressive.codecs.hierarchical_vae.quantiser import ROUNDING, quantised
from progressive.codecs.hierarchical_vae.rates import Gammas
from progressive.photos import sample_photo
from progressive.training.hierarchical_vae.model import Trainee
from progressive.training.hierarchical_vae.start import start_from_sizes
from progressive.training.hierarchical_vae.walk import centroid, index_bits, walk


@pytest.fixture(scope="module")
def trainee() -> Trainee:
    torch.manual_seed(0)
    return Trainee()


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Two of 1x2 blocks."""
    astronaut = torch.from_numpy(sample_photo("astronaut").copy()).permute(2, 0, 1) / 255
    return torch.stack([astronaut[:, 40:104, 128:256], astronaut[:, 200:264, 100:228]])


def gammas(gamma: int = 120) -> Gammas:
    one = Gammas.of(gamma, 8, 16, None)
    return Gammas(one.photos.repeat(2), one.cells.repeat(2, 1, 1))


def all_known() -> Tensor:
    return torch.full((2, 1, 2), len(LATENTS))


@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -1.0), (0.3, 0.0), (-2.4, 1.5)])
def test_bits_are_those_of_a_distribution(mean: float, log_scale: float) -> None:
    index = torch.arange(-200.0, 201.0)
    bits = index_bits(index, torch.tensor(mean), torch.tensor(log_scale))
    assert float(torch.exp2(-bits.double()).sum()) == pytest.approx(1, abs=1e-4)
    assert int(bits.argmin()) == 200 + round(mean)


@pytest.mark.parametrize("scale", [0.05, 0.4, 3.0])
@pytest.mark.parametrize("mean", [0.0, 0.2])
def test_centroids_are_the_means_of_bins(mean: float, scale: float) -> None:
    x = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    density = torch.exp(-(x - mean).abs() / scale)
    for index in (1, 2, -3):
        low = index - ROUNDING if index > 0 else index - 1 + ROUNDING
        inside = (x >= low) & (x < low + 1)
        expected = float((x * density)[inside].sum() / density[inside].sum())
        found = centroid(torch.tensor(float(index)), torch.tensor(mean), torch.log2(torch.tensor(scale)))
        assert float(found) == pytest.approx(expected, abs=0.01)
    for extreme in (-5.5, 9.0):
        assert bool(
            torch.isfinite(centroid(torch.arange(-9.0, 9.0), torch.zeros(18), torch.full((18,), extreme))).all()
        )


@torch.no_grad()
def test_a_prior_that_starts_from_sizes_costs_less(trainee: Trainee, photos: Tensor) -> None:
    coefficients = trainee.coefficients(photos, gammas(), linear=True)
    indices = [quantised(y) for y in coefficients]
    torch.manual_seed(1)
    prior = Prior()
    before = walk(prior, indices, gammas().scales, all_known()).bits
    start_from_sizes(prior, coefficients)
    after = walk(prior, indices, gammas().scales, all_known()).bits
    assert before.shape == after.shape == (len(LATENTS), 2)
    assert float(after.sum()) < 0.9 * float(before.sum())


@torch.no_grad()
def test_what_a_block_lacks_costs_nothing_and_is_expected_then_zero(trainee: Trainee, photos: Tensor) -> None:
    indices = [quantised(y) for y in trainee.coefficients(photos, gammas(), linear=True)]
    whole = walk(trainee.prior, indices, gammas().scales, all_known())
    known = all_known()
    known[1, 0, 1] = 2
    part = walk(trainee.prior, indices, gammas().scales, known)
    torch.testing.assert_close(part.bits[:, 0], whole.bits[:, 0])
    torch.testing.assert_close(part.bits[:2], whole.bits[:2])
    assert (part.bits[2:, 1] < whole.bits[2:, 1]).all()
    for scale, (own, found) in enumerate(zip(whole.values, part.values, strict=True)):
        side = found.shape[3] // 2
        torch.testing.assert_close(found[1, :, :, :side], own[1, :, :, :side])
        there = found[1, :, :, side:]
        if scale <= 2:
            torch.testing.assert_close(there, own[1, :, :, side:])
        else:
            assert bool(there.any()) == (scale == 3)


@torch.no_grad()
def test_a_walk_sees_blocks_apart_but_for_the_first_latent(trainee: Trainee, photos: Tensor) -> None:
    indices = [quantised(y) for y in trainee.coefficients(photos, gammas(), linear=True)]
    whole = walk(trainee.prior, indices, gammas().scales, all_known())
    other = [n.clone() for n in indices]
    for scale in range(2, 7):
        other[scale][:, :, :, : other[scale].shape[3] // 2] = 0
    found = walk(trainee.prior, other, gammas().scales, all_known())
    for scale in range(7):
        side = whole.values[scale].shape[3] // 2
        torch.testing.assert_close(found.values[scale][..., side:], whole.values[scale][..., side:])


def test_gradients_reach_encoder_and_decoder(photos: Tensor) -> None:
    torch.manual_seed(2)
    trainee = Trainee()
    torch.nn.init.normal_(trainee.top_down.leave.weight, std=0.01)
    coefficients = trainee.coefficients(photos, gammas())
    noise = [torch.rand_like(y) - 0.5 for y in coefficients]
    found, values = trainee.walk(coefficients, gammas(), all_known(), noise)
    linear, picture = trainee.decode(values, gammas(), all_known())
    assert linear.shape == picture.shape == photos.shape
    ((picture - photos).square().sum() + found.bits.sum()).backward()  # type: ignore[no-untyped-call]
    leave, see = trainee.bottom_up.leave, trainee.top_down.see
    for weight in (trainee.prior.enter.weight, leave[0].weight, leave[4].weight, see[2].weight):
        assert isinstance(weight, Tensor)
        assert weight.grad is not None
        assert bool(weight.grad.any())
