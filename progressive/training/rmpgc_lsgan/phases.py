"""The phases of the recipe: encoder and decoder for weighted losses, in the end along with discriminators.

Legend: N photos; C channels; h x w positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.lsgan.layers import base_of, decomposed, masked
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import nearest, nearest_with_soft_gradient
from progressive.codecs.rmpgc.backbones.lsgan.variants import CELL, SIDE, VARIANTS, Variant
from progressive.training.conditions import Importance
from progressive.training.crops import CropPool
from progressive.training.discriminators import deceiving, frozen, telling_apart
from progressive.training.features import Features
from progressive.training.phase import Loss, Phase
from progressive.training.rmpgc_lsgan.conditions import masks
from progressive.training.rmpgc_lsgan.model import Trainee
from progressive.training.rmpgc_lsgan.settings import PhaseSettings, Settings


class Weighted(Phase[Trainee]):
    """lambda_SFM SFM + lambda_GAN GAN + lambda_MSE MSE + lambda_R |v|, averaged over conditions (Eq. 18, 24, 35).

    Args:
        pool: photos to train on.
        features: that pictures are compared by (Eq. 1).
        importance: where meaning is in photos, which chooses the masks B.
        held_out: photos to watch, as `crops.watched` gives them.
    """

    own: PhaseSettings

    def __init__(
        self,
        name: str,
        model: Trainee,
        settings: Settings,
        pool: CropPool,
        features: Features,
        importance: Importance,
        held_out: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(name, model, settings.phase(name))
        self.settings, self.variant = settings, VARIANTS[settings.variant]
        self.pool, self.features, self.importance, self.held_out = pool, features, importance, held_out

    @property
    def trained(self) -> list[nn.Module]:
        generator = self.model.generator
        return [
            generator.linear,
            generator.analysis,
            generator.synthesis,
            *([self.model.discriminators] if self._adversarial else []),
        ]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        rates = (0.3, 1.0, 1.0, self.settings.discriminator_rate)
        return [(list(module.parameters()), rate) for module, rate in zip(self.trained, rates, strict=False)]

    @property
    def _adversarial(self) -> bool:
        return self.own.adversarial_weight > 0

    def loss(self, rng: np.random.Generator) -> Loss:
        crops = self.pool.draw(rng, self.own.batch, self.own.crop, self.settings.flat_share)
        photos, real = crops.photos.contiguous(memory_format=torch.channels_last), ~crops.flat
        known = masks(photos, self.variant, self.importance, int(rng.integers(6)))
        with torch.autocast(photos.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
            latent = decomposed(self.model.generator.encode(photos).float(), self.variant)
            picture = decoded(self.model.generator, latent, known, self.variant, self.settings.sigma)
            errors = (picture.float() - photos).square().mean((1, 2, 3))
            total, figures = self._errors(errors, real)
            rate = latent.var(1, unbiased=False).mean()  # the L1 norm of v (Eq. 9), over its size
            total = total + self.own.rate_weight * self.model.scaled("rate", rate)
            figures["v"] = rate.detach()
            if not real.any():
                idle = sum((p.sum() for p in self.model.discriminators.parameters()), total.new_zeros(()))
                return Loss(total + 0 * idle if self._adversarial else total, figures)
            made, true, seen = picture[real], photos[real], known[real]
            if self.own.feature_weight:
                apart = self.features.distance(made, true).mean()
                total = total + self.own.feature_weight * self.model.scaled("features", apart)
                figures["features"] = apart.detach()
            if self._adversarial:
                judges = self.model.discriminators
                with frozen(judges):
                    deceived = deceiving(judges.verdicts(made, seen))
                told = telling_apart(judges.verdicts(true, seen), judges.verdicts(made.detach(), seen))
                total = total + self.own.adversarial_weight * self.model.scaled("adversarial", deceived) + told
                figures |= {"deceiving": deceived.detach(), "telling apart": told.detach()}
        return Loss(total, figures)

    def _errors(self, errors: Tensor, real: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted squared error of photos, and of single colours by the same measure."""
        figures: dict[str, Tensor] = {}
        total = errors.new_zeros(())
        if real.any():
            mean = errors[real].mean()
            total = total + self.own.error_weight * self.model.scaled("error", mean)
            figures["PSNR dB"] = -10 * torch.log10(mean.detach() + 1e-6)
        if not real.all():
            size = self.model.means[0].clamp(min=1e-4)
            flat = errors[~real].mean()
            total = total + self.settings.flat_weight * flat / size * (~real).float().mean()
            figures["flat dB"] = -10 * torch.log10(flat.detach() + 1e-6)
        return total, figures

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        if not self.held_out:
            return ""
        found = np.mean([self._figures(model.generator, photo) for photo in self.held_out], 0)
        base, half, full, bits = found
        return f"base {base:.2f}, salient {half:.2f}, all {full:.2f} dB, {bits:.3f} bpp by channels' entropies"

    def _figures(self, generator: Generator, photo: Tensor) -> tuple[float, ...]:
        """PSNR under U = 0, B and 1, and how many bits a pixel levels take if each channel is coded by itself."""
        latent, full = decomposed(generator.encode(photo), self.variant), VARIANTS["rmpgc"]
        quality = []
        for condition in range(3):
            known = masks(photo, full, self.importance, condition)
            picture = decoded(generator, latent, known, self.variant).clamp(0, 1)
            quality.append(-10 * float(torch.log10((picture - photo).square().mean() + 1e-10)))
        levels = nearest(latent)[0].flatten(1).long() + 2
        shares = torch.stack([torch.bincount(own, minlength=5) for own in levels]).double()
        shares = shares / shares.sum(1, keepdim=True)
        return *quality, float(-(shares * torch.log2(shares + 1e-12)).sum()) / CELL**2


def decoded(
    generator: Generator, latent: Tensor, known: Tensor, variant: Variant, sigma: float | None = None
) -> Tensor:
    """The picture of a latent under masks of blocks, [N, 3, 8 h, 8 w].

    Args:
        latent: [N, C, h, w].
        known: [N, R, K].
        sigma: of soft gradients; none are needed without.
    """

    def quantised(values: Tensor) -> Tensor:
        return nearest(values) if sigma is None else nearest_with_soft_gradient(values, sigma)

    mask = F.interpolate(known[:, None], scale_factor=SIDE, mode="nearest")
    has = masked(quantised(base_of(latent, variant)), quantised(latent), mask, variant)
    return generator.decode(has, mask if variant.conditioned else torch.ones_like(mask))
