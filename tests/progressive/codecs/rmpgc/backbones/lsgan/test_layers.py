"""Layers are what the paper's equations say, and so is what a decoder has of them under a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codecs.rmpgc.backbones.lsgan.layers import (
    RESIDUAL_GAIN,
    base_of,
    decomposed,
    from_layers,
    masked,
    to_layers,
)
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import nearest
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, VARIANTS
from progressive.semantics.masks import channel_mean_outside, masked_layers

LATENT = torch.from_numpy(np.random.default_rng(0).normal(0, 1.2, (1, CHANNELS, 8, 16)))
MASK = torch.from_numpy((np.random.default_rng(1).random((1, 1, 8, 16)) < 0.4).astype(np.float64))


def test_layered_latents_are_masked_by_equation_26() -> None:
    variant = VARIANTS["rmpgc"]
    found = masked(base_of(LATENT, variant), LATENT, MASK, variant)[0].numpy()
    own = LATENT[0].numpy()
    expected = masked_layers(own[: variant.base], own[variant.base :], MASK[0, 0].numpy().astype(bool))
    assert np.allclose(found, expected)


@pytest.mark.parametrize("name", ["mpgc-1", "mpgc-2"])
def test_latents_without_layers_are_masked_by_equation_14(name: str) -> None:
    variant = VARIANTS[name]
    found = masked(base_of(LATENT, variant), LATENT, MASK, variant)[0].numpy()
    assert np.allclose(found, channel_mean_outside(LATENT[0].numpy(), MASK[0, 0].numpy().astype(bool)))


@pytest.mark.parametrize("name", VARIANTS)
def test_layers_give_back_what_was_put_in(name: str) -> None:
    variant = VARIANTS[name]
    base, levels = nearest(base_of(LATENT, variant)), nearest(LATENT)
    layers = to_layers(base, levels, variant)
    shapes = tuple(tuple((part.shape[1], 8) for part in layer) for layer in layers)
    assert shapes == variant.shapes
    assert sum(part.shape[1] for layer in layers for part in layer) == variant.coded_channels
    for mask in (MASK, torch.ones_like(MASK), torch.zeros_like(MASK)):
        assert torch.equal(from_layers(layers, mask.float(), variant), masked(base, levels, mask, variant).float())


def test_the_decomposition_moves_what_a_level_leaves_over_into_the_second_layer() -> None:
    layered, plain = decomposed(LATENT, VARIANTS["rmpgc"]), decomposed(LATENT, VARIANTS["mpgc-2"])
    assert torch.equal(plain, LATENT)
    left = LATENT[:, 0] - nearest(LATENT[:, 0])
    assert torch.allclose(layered[:, 1], LATENT[:, 1] + RESIDUAL_GAIN * left)
    assert torch.equal(layered[:, [0, *range(2, CHANNELS)]], LATENT[:, [0, *range(2, CHANNELS)]])
    inside = left[LATENT[:, 0].abs() < 2.5]
    assert float((RESIDUAL_GAIN * inside).abs().max()) <= 2.5
