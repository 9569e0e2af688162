"""From a picture to its latent: the wavelet, and what a network has learned to add to it.

The network looks at the photo at a quarter of its resolution and passes what it sees on to the coarser scales. Its
outputs start at zero: an untrained analysis is the wavelet.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc import wavelet
from progressive.codecs.rmpgc.layout import CHANNELS, SCALES, STRIDES
from progressive.codecs.rmpgc.synthesis import Residual

WIDTH = 48
EXPANDED = 96
FINEST_DEPTH = 2
"""Residual blocks at the finest scale; the coarser ones have one each."""


class Analysis(nn.Module):
    """RGB in 0..1, [N, 3, H, W], H and W multiples of 64 -> the five scales of the latent (`wavelet.analyse`).

    0.8 GMAC for a 768x512 photo.
    """

    def __init__(self) -> None:
        super().__init__()
        pixels = 3 * STRIDES[-1] ** 2
        inputs = [4 * WIDTH] * (SCALES - 1) + [pixels]
        depths = [1] * (SCALES - 1) + [FINEST_DEPTH]
        self.enter = nn.ModuleList([nn.Conv2d(n, WIDTH, 1) for n in inputs])
        self.body = nn.ModuleList([nn.Sequential(*(Residual(WIDTH, EXPANDED) for _ in range(d))) for d in depths])
        self.heads = nn.ModuleList([nn.Conv2d(WIDTH, channels, 1) for channels in CHANNELS])
        for parameter in self.heads.parameters():
            nn.init.zeros_(parameter)

    def forward(self, photos: Tensor) -> list[Tensor]:
        if not any(parameter.any() for parameter in self.heads.parameters()):
            return wavelet.analyse(photos)
        return [linear + more for linear, more in zip(wavelet.analyse(photos), self.learned(photos), strict=True)]

    def learned(self, photos: Tensor) -> list[Tensor]:
        """What is added to the wavelet's coefficients, coarsest scale first."""
        added: list[Tensor] = []
        seen = F.pixel_unshuffle(photos - 0.5, STRIDES[-1])
        for scale in reversed(range(SCALES)):
            entered = F.relu(self.enter[scale](seen.contiguous(memory_format=torch.channels_last)))
            features: Tensor = self.body[scale](entered)
            added.insert(0, self.heads[scale](features))
            if scale:
                seen = F.pixel_unshuffle(features, 2)
        return added
