"""From a latent to layers and back, for each variant.

Legend: N photos; C channels; h x w positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan.quantiser import LEVELS, nearest
from progressive.codecs.rmpgc.backbones.lsgan.variants import Variant
from progressive.codecs.rmpgc.backbones.masked.latent import Layer

RESIDUAL_GAIN = float(LEVELS)
"""What is left of a level by the one before is stretched to the range of all levels."""


def decomposed(latent: Tensor, variant: Variant) -> Tensor:
    """The multi-scale decomposition (section III-D3): the second layer has what the first one's levels leave over too.

    So both together say how bright a position is, which five levels cannot. Without layers nothing changes.

    Args:
        latent: not quantised, [N, C, h, w].
    """
    if not variant.base:
        return latent
    left = latent[:, :1] - nearest(latent[:, :1])
    return torch.cat([latent[:, :1], latent[:, 1:2] + RESIDUAL_GAIN * left, latent[:, 2:]], 1)


def base_of(latent: Tensor, variant: Variant) -> Tensor:
    """What the base conveys, not quantised: the first channels, or the channels' mean, [N, C_b or 1, h, w]."""
    return latent[:, : variant.base] if variant.base else latent.mean(1, keepdim=True)


def masked(base: Tensor, all_channels: Tensor, mask: Tensor, variant: Variant) -> Tensor:
    """What a decoder has under a mask, [N, C, h, w]: concat(alpha, beta M) (Eq. 26), or Eq. 14 without layers.

    Args:
        base: levels that the base conveys.
        all_channels: levels of the whole latent.
        mask: 1 where all channels are known, 0 elsewhere, [N, 1, h, w].
    """
    if variant.base:
        return torch.cat([base, all_channels[:, variant.base :] * mask], 1)
    return all_channels * mask + base * (1 - mask)


def to_layers(base: Tensor, all_channels: Tensor, variant: Variant) -> list[Layer]:
    """The stages of the base, a channel each, and the enhance layer."""
    stages = [[base[:, channel : channel + 1].to(torch.int16)] for channel in range(base.shape[1])]
    return [*stages, [all_channels[:, variant.base :].to(torch.int16)]]


def from_layers(layers: Sequence[Layer], mask: Tensor, variant: Variant) -> Tensor:
    """What a decoder has of layers that are zero where nothing is known, float [N, C, h, w]."""
    base = torch.cat([part for layer in layers[:-1] for part in layer], 1).float()
    enhance = layers[-1][0].float()
    return masked(base, torch.cat([base, enhance], 1) if variant.base else enhance, mask, variant)
