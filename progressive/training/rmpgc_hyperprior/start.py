"""A good start of the priors: how large each coefficient usually is."""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.channels import FIRST, GROUPS, OTHERS
from progressive.codecs.rmpgc.backbones.hyperprior.model import Encoder
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
    _set(priors.base.first_out, base[:, :FIRST])
    _set(priors.base.others_out, base[:, FIRST : FIRST + OTHERS])
    for layer, group in zip(priors.enhance.out, GROUPS, strict=True):
        assert isinstance(layer, Conv)
        _set(layer, left[:, group])


def _set(layer: Conv, coefficients: Tensor) -> None:
    size = torch.log2(coefficients.abs().mean((0, 2, 3)).clamp(min=SMALLEST_SIZE))
    layer.bias[0, len(size) :] = size
