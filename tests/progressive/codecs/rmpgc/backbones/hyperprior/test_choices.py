"""What an encoder writes, and what it saves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.hyperprior.channels import ENHANCE
from progressive.codecs.rmpgc.backbones.hyperprior.choices import Choices
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Wanted, layers_of
from progressive.codecs.rmpgc.backbones.hyperprior.model import Model
from progressive.codecs.rmpgc.backbones.hyperprior.tables import ENHANCE as OTHERS
from progressive.codecs.rmpgc.backbones.masked.latent import mapped
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import CostMeter
from progressive.exact.laplace import LEAST_SCALE, STEPS


def parameters(mean: float, log_scale: float, count: int) -> torch.Tensor:
    """Of one channel and row of so many positions."""
    return torch.tensor([mean * STEPS, log_scale * STEPS]).round().view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, count)


def test_a_smaller_index_is_taken_if_it_is_worth_more_a_bit(frozen: Model) -> None:
    values = torch.tensor([[[[0.52, 0.97, -0.52, -3.1, 3.49]]]])
    tables = frozen.coding.tables
    nearest = Choices(tables, 1e6).choose(OTHERS, parameters(0, 2, 5), values)
    assert nearest.flatten().tolist() == [1, 1, -1, -3, 3]
    cheap = Choices(tables, 9.0).choose(OTHERS, parameters(0, 2, 5), values)
    assert cheap.flatten().tolist() == [0, 1, 0, -3, 3]
    rounded = Choices(tables, None).choose(OTHERS, parameters(0, 2, 5), values)
    assert rounded.flatten().tolist() == [0, 1, 0, -3, 3]


def test_what_is_not_written_is_its_mean(frozen: Model) -> None:
    values = torch.full((1, 1, 1, 3), 9.0)
    for price in (None, 9.0):
        found = Choices(frozen.coding.tables, price).choose(OTHERS, parameters(2, LEAST_SCALE / STEPS, 3), values)
        assert found.flatten().tolist() in ([2, 2, 2], [9, 9, 9])


@pytest.fixture(scope="module")
def wanted(frozen: Model, photo: Photo) -> Wanted:
    with torch.inference_mode():
        return frozen.encoder.wanted(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255)


@torch.inference_mode()
def test_choices_cost_less_and_hardly_err_more(frozen: Model, wanted: Wanted) -> None:
    coding = frozen.coding
    bits, errors = [], []
    for price in (None, 9.0):
        layers = layers_of(frozen.encoder, wanted, coding, price)
        blocks, meter = mapped(layers, coding.shapes, to_blocks), CostMeter(coding.tables, 6)
        coding.code(meter, ENHANCE, blocks[:ENHANCE], 6, 1, 1, blocks[ENHANCE])
        bits.append(float(meter.bits.sum()))
        steps = frozen.encoder.quantiser
        base, enhance = (torch.cat(parts, 1).float() for parts in ([*layers[0][1:], *layers[1]], layers[2][1:]))
        found = steps.values(steps.base.expected(base), steps.enhance.expected(enhance)) / steps.enhance.sizes
        errors.append(float((found - wanted.everything).square().mean()))
    assert bits[1] < bits[0]
    assert errors[1] < 1.5 * errors[0]


@torch.inference_mode()
def test_what_is_chosen_is_what_is_coded(frozen: Model, wanted: Wanted) -> None:
    """Also where nothing is written."""
    coding, layers = frozen.coding, layers_of(frozen.encoder, wanted, frozen.coding)
    for stage in range(ENHANCE):
        found = coding.code(CostMeter(coding.tables, 1), stage, layers[:stage], 1, 2, 3, layers[stage])
        assert all(np.array_equal(a, b) for a, b in zip(found, layers[stage], strict=True))
