"""A good start of the priors: how large each coefficient usually is."""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE_GROUPS, GROUPS
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Encoder
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Priors
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import quantised
from progressive.exact.layers import Conv

SMALLEST_SIZE = 0.03
"""In steps; a scale below this costs nothing more."""


@torch.no_grad()
def start_from_sizes(priors: Priors, encoder: Encoder, photos: Tensor) -> None:
    """Sets the biases of the outputs' scales from some photos, RGB in 0..1 [N, 3, H, W]."""
    base, wanted = encoder.coefficients(photos)
    left = encoder.quantiser.left(wanted, quantised(base))
    for prior, groups, values in ((priors.base, BASE_GROUPS, base), (priors.enhance, GROUPS, left)):
        for layer, group in zip(prior.out, groups, strict=True):
            assert isinstance(layer, Conv)
            _set(layer, values[:, group])


def _set(layer: Conv, coefficients: Tensor) -> None:
    size = torch.log2(coefficients.abs().mean((0, 2, 3)).clamp(min=SMALLEST_SIZE))
    layer.bias[0, len(size) :] = size
