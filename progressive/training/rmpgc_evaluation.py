"""How good RMPGC's networks are on whole photos: rates by their probabilities, quality at each level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from progressive.codecs.rmpgc import wavelet
from progressive.codecs.rmpgc.layout import LEVELS, PLANES, SCALES
from progressive.training.rmpgc_conditions import BASE, values_under
from progressive.training.rmpgc_model import Trainee
from progressive.training.rmpgc_rate import bits_of_planes, rate_of_planes


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits a pixel over all pixels of some photos, [PLANES + 1, SCALES]."""

    by_scale: Tensor

    @property
    def line(self) -> str:
        planes = self.by_scale.sum(1).tolist()
        return f"bpp {' + '.join(f'{bits:.4f}' for bits in planes)} = {sum(planes):.4f}"


@dataclass(frozen=True, slots=True)
class Qualities:
    """Mean PSNR in dB of photos with the base, and then with every block at each level."""

    db: tuple[float, ...]

    @property
    def line(self) -> str:
        return f"PSNR {' '.join(f'{db:.2f}' for db in self.db)} dB"


@torch.no_grad()
def bits_per_pixel(model: Trainee, photos: list[Tensor]) -> Rates:
    """The entropy of the symbols of photos [1, 3, H, W] under the networks, the slight loss of real coding left out."""
    total, pixels = torch.zeros(PLANES + 1, SCALES), 0
    for photo in photos:
        bits, _ = bits_of_planes(model.networks, model.analysis(photo))
        total += torch.cat(bits).cpu()
        pixels += photo[0, 0].numel()
    return Rates(total / max(pixels, 1))


@torch.no_grad()
def psnr_of_levels(model: Trainee, photos: list[Tensor]) -> Qualities:
    """PSNR of pictures of photos [1, 3, H, W] at every level, of values clipped to 0..1 but not rounded."""
    total = torch.zeros(LEVELS + 1)
    for photo in photos:
        latent = model.analysis(photo)
        early = torch.zeros(1, *latent[0].shape[2:], dtype=torch.bool, device=photo.device)
        rate = rate_of_planes(model.networks, latent, early)
        for level in range(LEVELS + 1):
            states = torch.full((1, *latent[0].shape[2:]), BASE + level, device=photo.device)
            linear = wavelet.synthesise(values_under(model.dequantiser, latent, rate.indices, rate.tiers, states))
            picture = model.synthesis.refine(linear, states).clamp(0, 1)
            total[level] -= 10 * math.log10(float((picture - photo).square().mean()) + 1e-10)
    return Qualities(tuple((total / max(len(photos), 1)).tolist()))
