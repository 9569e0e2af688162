"""The phases of RMPGC's training: what each trains, and its loss.

    context    a context model of the same strength as the codec's, which stands for it while the transform is trained
    transform  lifting steps, against that model, which is trained along
    entropy    probability networks, the transform fixed; rounded to integers towards the end
    analysis   what an encoder adds for the synthesis, and that along with it, the coding fixed
    synthesis  the decoder's network, on photos as the codec codes them, under all conditions

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.quantiser import STEP
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, PLANES, plane_and_tier
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import BITS_OF_ERROR, LEAST_BITS
from progressive.training.phase import Loss
from progressive.training.rmpgc.analysing import Analysing
from progressive.training.rmpgc.coded import CodedPhoto, CodedPool
from progressive.training.rmpgc.context import cost_of, index_of
from progressive.training.rmpgc.model import Trainee
from progressive.training.rmpgc.rate import bits_of_planes, rate_of
from progressive.training.rmpgc.received import Reception
from progressive.training.rmpgc.stage import ERROR_FLOOR, FIRST_LOOK, Stage, turned
from progressive.training.rmpgc.start import start_from_marginals

TYPICAL_BITS = (0.036, 0.083, 0.204, 0.393, 0.954)
"""Bits a pixel of the base and of each plane: all count alike in the loss."""

LEVEL_SHARES = tuple(share / 2 for share in (0.28, 0.3, 0.27, 0.15) for _ in range(2))
"""How often each level is trained."""

FINENESS = (-0.3, 3.4)
"""Range of the halvings of the base's step that the transform is trained at."""

FIRST_FILTERS = 0.002
"""Standard deviation of the lifting filters to begin with: opacities learn nothing from none."""


class Contexts(Stage):
    """The context model, on the transform as it is."""

    stage = "context"
    fineness: tuple[float, float] = FINENESS
    """Range that steps are drawn from, in halvings of the base's."""

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.context]

    def loss(self, rng: np.random.Generator) -> Loss:
        photos, fineness = self._drawn(rng)
        bits, *_ = self._costs(self.model, photos, fineness)
        return Loss(_logarithm(bits), {"bpp": bits.detach().sum() / photos[:, 0].numel()})

    def _drawn(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Photos, and halvings of the base's step, [N]."""
        photos = self.pool.draw(rng, self.own.batch, self.own.crop)
        return photos, torch.from_numpy(rng.uniform(*self.fineness, len(photos))).float().to(photos.device)

    def _costs(self, model: Trainee, photos: Tensor, fineness: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bits, marginal bits, and squared error, of each photo [N]."""
        step = (STEP * torch.exp2(-fineness))[:, None, None, None]
        latent = model.transform.analyse(photos)
        indices = [index_of(y.detach(), step) for y in latent]
        with self._mixed(photos.device):
            parameters = model.context(indices, fineness)
        costs = [
            cost_of(model.context, y, n, step, p.float()) for y, n, p in zip(latent, indices, parameters, strict=True)
        ]
        picture = model.transform.synthesise([c.values for c in costs])
        error = (picture - photos).square().sum((1, 2, 3)) + sum(c.bend for c in costs)
        return sum(c.bits for c in costs), sum(c.marginal for c in costs), error  # type: ignore[return-value]

    def quality(self, model: Trainee) -> str:
        lines = []
        for fineness in range(PLANES):
            level = torch.full((1,), float(fineness), device=self.pool.device)
            found = [(*self._costs(model, x, level), x) for x in map(turned, self.held_out)]
            bpp = sum(float(b) for b, *_ in found) / sum(x[0, 0].numel() for *_, x in found)
            psnr = np.mean([-10 * math.log10(float(e) / x.numel() + ERROR_FLOOR) for _, _, e, x in found])
            lines.append(f"{bpp:.4f} bpp {psnr:.2f} dB")
        return ", ".join(lines)


class Transforming(Contexts):
    """The lifting steps, and the context model that tells what their latent costs.

    A photo at a step costs R + slope * D, divided by what it costs: every step and photo counts alike.
    """

    stage = "transform"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.transform, self.model.context]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh:
            for name, weight in self.model.transform.named_parameters():
                if name.endswith("filters.weight"):
                    drawn = torch.from_numpy(rng.normal(0, FIRST_FILTERS, weight.shape))
                    weight.data.copy_(drawn)

    def loss(self, rng: np.random.Generator) -> Loss:
        photos, fineness = self._drawn(rng)
        bits, marginal, error = self._costs(self.model, photos, fineness)
        slope = BITS_OF_ERROR / (STEP * torch.exp2(-fineness)) ** 2
        cost = (marginal + slope * error) / (bits + slope * error).detach()
        psnr = -10 * torch.log10(error.detach() / photos[0].numel() + ERROR_FLOOR).mean()
        figures = {"bpp": bits.detach().sum() / photos[:, 0].numel(), "PSNR dB": psnr}
        return Loss(_logarithm(bits) + cost.mean(), figures)


class Entropy(Stage):
    """Probability networks alone."""

    stage = "entropy"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.networks]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh:
            with torch.no_grad():
                latent = self.model.transform.analyse(self.pool.draw(rng, FIRST_LOOK, self.own.crop))
            start_from_marginals(self.model.networks, latent)

    def rounding(self, step: int) -> str:
        return "straight-through" if step >= round((1 - self.settings.rounded_share) * self.own.steps) else "none"

    def loss(self, rng: np.random.Generator) -> Loss:
        photos = self.pool.draw(rng, self.own.batch, self.own.crop)
        level = int(rng.choice(LEVELS, p=LEVEL_SHARES)) + 1
        with torch.no_grad():
            latent = self.model.analyse(photos)
        with self._mixed(photos.device):
            rate = rate_of(self.model.networks, latent, level)
        pixels, plane = photos[:, 0].numel(), plane_and_tier(level)[0]
        base, coded_bits, look = (bits.sum() / pixels for bits in (rate.base, rate.level, rate.look))
        total = 2 * coded_bits / TYPICAL_BITS[plane] + self.settings.look_weight * look / TYPICAL_BITS[plane]
        total = total + self.settings.base_weight * base / TYPICAL_BITS[0]
        return Loss(total, {"base bpp": base.detach(), f"level {level} bpp": coded_bits.detach()})

    def quality(self, model: Trainee) -> str:
        latents = [model.analyse(turned(photo)) for photo in self.held_out]
        total = torch.stack([bits_of_planes(model.networks, latent) for latent in latents]).sum(0)
        planes = (total.sum(1) / sum(photo[0, 0].numel() for photo in self.held_out)).tolist()
        return f"bpp {' + '.join(f'{bits:.4f}' for bits in planes)} = {sum(planes):.4f}"


class Decoding(Stage):
    """The synthesis alone, on crops that are coded once with the networks and transform as they are."""

    stage = "synthesis"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.synthesis]

    def loss(self, rng: np.random.Generator) -> Loss:
        received = self._reception.draw(rng, self.own.batch)
        return self._picture_loss(received.photos, received.linear, received.states)

    def _picture_loss(self, photos: Tensor, linear: Tensor, states: Tensor) -> Loss:
        """The logarithm of the squared error and, a little, of the features' distance.

        By the logarithm every condition counts alike, in decibels.
        """
        with self._mixed(photos.device):
            pictures = self.model.synthesis(linear, states).float()
        errors = (pictures - photos).square().mean((1, 2, 3))
        before = (linear - photos).square().mean((1, 2, 3))
        gain = 10 * torch.log10((before + ERROR_FLOOR) / (errors.detach() + ERROR_FLOOR)).mean()
        total, figures = torch.log(errors + ERROR_FLOOR).mean(), {"gain dB": gain}
        looked_at = self.settings.feature_samples
        if looked_at and self.settings.feature_weight:
            with self._mixed(photos.device):
                apart = self.semantics.distance(pictures[:looked_at], photos[:looked_at]).float()
            total = total + self.settings.feature_weight * torch.log(apart + ERROR_FLOOR).mean()
            figures["feature distance"] = apart.detach().mean()
        return Loss(total, figures)

    @cached_property
    def _reception(self) -> Reception:
        count, side = self.settings.coded_crops, self.own.crop
        crops = CodedPool(self.pool.photos, count, side, self.coding(), self.model.analyse, seed=0)
        return Reception(crops, self.model.transform, self.semantics.importance, self.pool.device)

    def quality(self, model: Trainee) -> str:
        gains = torch.zeros(LEVELS + 1)
        reached = torch.zeros(LEVELS + 1)
        for photo in self._watched:
            for level in range(LEVELS + 1):
                has = self._reception.at_level(photo, level)
                picture = model.synthesis(has.linear, has.states).clamp(0, 1)
                reached[level] -= 10 * torch.log10((picture - has.photos).square().mean() + 1e-10).cpu()
                gains[level] += 10 * torch.log10((has.linear.clamp(0, 1) - has.photos).square().mean() + 1e-10).cpu()
        gains += reached
        count = len(self._watched)
        lines = (f"{r:.2f} ({g:+.2f})" for r, g in zip(reached / count, gains / count, strict=True))
        return f"PSNR (gain) {' '.join(lines)} dB"

    @cached_property
    def _watched(self) -> list[CodedPhoto]:
        return self._reception.watched(self.held_out)


def _logarithm(bits: Tensor) -> Tensor:
    """The mean logarithm of bits: every photo counts alike."""
    return torch.log(bits + LEAST_BITS).mean()


PHASES: dict[str, type[Stage]] = {
    stage.stage: stage for stage in (Contexts, Transforming, Entropy, Analysing, Decoding)
}
