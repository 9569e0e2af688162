"""A good start for the prior: without any features, it says how large each coefficient usually is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from progressive.codecs.hierarchical_vae.latents import LUMA
from progressive.codecs.hierarchical_vae.prior import BANDS, Pass, Prior
from progressive.exact.passes import COLOUR

SMALLEST_SIZE = 0.03
"""In steps; a scale below this costs nothing more."""


@torch.no_grad()
def start_from_sizes(prior: Prior, coefficients: Sequence[Tensor]) -> None:
    """Sets the biases of the outputs' scales from coefficients in steps of some photos, all scales [N, C, h, w]."""
    for scale, values in enumerate(coefficients):
        size = torch.log2(values.abs().mean((0, 2, 3)).clamp(min=SMALLEST_SIZE))
        luma, colours = size[: LUMA[scale]], size[LUMA[scale] :]
        if not scale:
            luma, colours = luma.repeat_interleave(BANDS), colours.repeat_interleave(BANDS)
        for number, network in enumerate(prior.passes):
            assert isinstance(network, Pass)
            own = colours if number == COLOUR else luma
            if len(own):
                network.out.bias[scale, len(own) :] = own
