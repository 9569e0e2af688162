"""A good start: how large each coefficient usually is."""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codecs.label_guided.groups import FIRST, GROUPS, ROOT
from progressive.codecs.label_guided.prior import Pass, Prior

SMALLEST_SIZE = 0.03
"""In steps; a scale below this costs nothing more."""


@torch.no_grad()
def start_from_sizes(prior: Prior, coefficients: Tensor) -> None:
    """Sets the biases of the outputs' scales from coefficients in steps of some photos, [N, C, h, w]."""
    size = torch.log2(coefficients.abs().mean((0, 2, 3)).clamp(min=SMALLEST_SIZE))
    for network in prior.passes:
        assert isinstance(network, Pass)
        network.out.bias[0, FIRST:] = size[:FIRST]
    for group, layer in enumerate(prior.out, ROOT + 1):
        own = size[GROUPS[group]]
        layer.bias[0, len(own) :] = own  # type: ignore[operator]
