"""All of the hierarchical VAE that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from progressive.codecs.hierarchical_vae import wavelets
from progressive.codecs.hierarchical_vae.prior import Prior
from progressive.codecs.hierarchical_vae.quantiser import quantised
from progressive.codecs.hierarchical_vae.rates import Gammas
from progressive.codecs.hierarchical_vae.resnet import BottomUp, TopDown
from progressive.training.hierarchical_vae.walk import Expected, present, walk


@dataclass(frozen=True)
class Coded:
    """What photos become.

    Fields:
        bits: of each latent and photo, [latents, N].
        linear: the inverse wavelet's picture, [N, 3, H, W].
        picture: the decoder's, around 0..1, [N, 3, H, W].
    """

    bits: Tensor
    linear: Tensor
    picture: Tensor


class Trainee(nn.Module):
    """Prior, encoder and decoder; those not given are new."""

    def __init__(
        self, prior: Prior | None = None, bottom_up: BottomUp | None = None, top_down: TopDown | None = None
    ) -> None:
        super().__init__()
        self.prior = prior or Prior()
        self.bottom_up = bottom_up or BottomUp()
        self.top_down = top_down or TopDown()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def coefficients(self, photos: Tensor, gammas: Gammas, *, linear: bool = False) -> list[Tensor]:
        """The posterior's coefficients of all scales, in steps, [N, C, h, w]; `linear`: the wavelet's alone.

        Args:
            photos: RGB in 0..1, [N, 3, H, W].
            gammas: of the photos.
        """
        with torch.no_grad():
            bands = wavelets.analyse(photos)
            bands = [band / step for band, step in zip(bands, gammas.steps, strict=True)]
        if linear:
            return bands
        added = self.bottom_up(photos, gammas)
        return [band + more for band, more in zip(bands, added, strict=True)]

    def walk(
        self, coefficients: Sequence[Tensor], gammas: Gammas, known: Tensor, noise: Sequence[Tensor] | None = None
    ) -> tuple[Expected, list[Tensor]]:
        """Bits, and what a receiver expects, in steps.

        With noise, -0.5..0.5 as the coefficients, gradients reach these: from the bits as if noise had been added,
        from what is expected as if nothing had been rounded (Minnen and Singh 2020).
        """
        indices = [quantised(y.detach()) for y in coefficients]
        if noise is None:
            found = walk(self.prior, indices, gammas.scales, known)
            return found, found.values
        noisy = [y + u for y, u in zip(coefficients, noise, strict=True)]
        found = walk(self.prior, indices, gammas.scales, known, noisy)
        passed = [(y - y.detach()) * present(known, scale) for scale, y in enumerate(coefficients)]
        return found, [value + more for value, more in zip(found.values, passed, strict=True)]

    def decode(self, values: Sequence[Tensor], gammas: Gammas, known: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients in steps -> the linear picture and the decoder's."""
        absolute = [v * step for v, step in zip(values, gammas.steps, strict=True)]
        linear = wavelets.synthesise(absolute)
        picture: Tensor = self.top_down(linear, absolute, gammas, known).float()
        return linear, picture
