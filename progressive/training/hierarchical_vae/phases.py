"""The phases of the training: what each trains, and its loss.

    prior    the prior alone, on the wavelet's coefficients
    joint    encoder, decoder and prior, for the rate and the distortion at every gamma (ResNet VAE Eq. 15 and 22)
    rounded  the prior in integers, encoder and decoder fixed

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.hierarchical_vae.latents import LATENTS
from progressive.codecs.hierarchical_vae.rates import CELL, LAGRANGIAN, Gammas
from progressive.segments.tiles import BLOCK
from progressive.training.hierarchical_vae.model import Trainee
from progressive.training.hierarchical_vae.photos import Batch, PhotoPool
from progressive.training.hierarchical_vae.settings import PhaseSettings, Settings
from progressive.training.hierarchical_vae.start import start_from_sizes
from progressive.training.phase import Loss, Phase

WATCHED_GAMMAS = (40, 90, 140, 190)
"""What photos set aside are coded at; about 0.1, 0.25, 0.5 and 1 bit a pixel."""

FIRST_LOOK = 24
"""Crops that starting values are taken from."""

HEADS_SHARE = 0.25
"""The learning rate of the heads beside that of all else: from zero, every step of Muon is a large one."""

LEAST_BITS = 200.0
_C1, _C2 = 0.01**2, 0.03**2


class Stage(Phase[Trainee]):
    """A phase of the codec.

    Args:
        pool: photos to train on.
        held_out: to watch, RGB in 0..1, [1, 3, H, W] each.
    """

    stage: ClassVar[str]
    own: PhaseSettings

    def __init__(self, model: Trainee, settings: Settings, pool: PhotoPool, held_out: Sequence[Tensor] = ()) -> None:
        super().__init__(self.stage, model, settings.phase(self.stage))
        self.settings, self.pool, self.held_out = settings, pool, held_out

    def configure(self, model: Trainee, step: int) -> None:
        model.prior.set_rounding(self.rounding(step))

    def rounding(self, step: int) -> str:
        """How the prior computes at a step (`Conv.rounding`)."""
        return "none"

    def loss(self, rng: np.random.Generator) -> Loss:
        batch = self.pool.draw(rng, self.own.batch, self.own.crop, self.settings)
        with torch.autocast(batch.photos.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
            return self.loss_of(batch, rng)

    @abstractmethod
    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        """The loss of a batch."""

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        lines = []
        for gamma in WATCHED_GAMMAS if self.held_out else ():
            with torch.autocast(self.pool.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
                found = torch.tensor([self._watch(model, photo, gamma) for photo in self.held_out]).mean(0).tolist()
            lines.append(f"{found[0]:.4f} bpp {found[1]:.2f} ({found[2]:+.2f}) dB")
        return ", ".join(lines)

    def _watch(self, model: Trainee, photo: Tensor, gamma: int) -> tuple[float, float, float]:
        """Bits a pixel, PSNR, and what the decoder gains over the linear picture, in dB."""
        height, width = photo.shape[2:]
        gammas = Gammas.of(gamma, height // CELL, width // CELL, None).to(photo.device)
        known = torch.full((1, height // BLOCK, width // BLOCK), len(LATENTS), device=photo.device)
        found, values = model.walk(model.coefficients(photo, gammas), gammas, known)
        linear, picture = model.decode(values, gammas, known)
        plain, good = (
            -10 * math.log10(float((p.clamp(0, 1) - photo).square().mean()) + 1e-9) for p in (linear, picture)
        )
        return float(found.bits.sum()) / (height * width), good, good - plain


class PriorAlone(Stage):
    """The prior on the wavelet's coefficients."""

    stage = "prior"
    linear = True

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.prior]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh and self.linear:
            batch = self.pool.draw(rng, FIRST_LOOK, self.own.crop, self.settings)
            start_from_sizes(self.model.prior, self.model.coefficients(batch.photos, batch.gammas, linear=True))

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            coefficients = self.model.coefficients(batch.photos, batch.gammas, linear=self.linear)
        found, _ = self.model.walk(coefficients, batch.gammas, all_known(batch))
        bits = found.bits.sum(0)
        return Loss(torch.log(bits + LEAST_BITS).mean(), {"bpp": bits.detach().sum() / batch.photos[:, 0].numel()})


class Rounded(PriorAlone):
    """The prior in integers, on what the encoder makes."""

    stage = "rounded"
    linear = False

    def rounding(self, step: int) -> str:
        return "straight-through"


class Joint(Stage):
    """Encoder, decoder and prior: R + lambda D, divided by what it is, so that every rate and photo counts alike."""

    stage = "joint"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.prior, self.model.bottom_up, self.model.top_down]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        heads = [*self.model.bottom_up.leave.parameters(), *self.model.top_down.leave.parameters()]
        own = {id(p) for p in heads}
        others = [p for module in self.trained for p in module.parameters() if id(p) not in own]
        return [(others, 1.0), (heads, HEADS_SHARE)]

    def rounding(self, step: int) -> str:
        rounded = step >= round((1 - self.settings.rounded_share) * self.own.steps)
        return "straight-through" if rounded else "none"

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        known = truncated(batch, rng, self.settings.truncated_share)
        coefficients = self.model.coefficients(batch.photos, batch.gammas)
        noise = [torch.from_numpy(rng.random(tuple(y.shape), np.float32) - 0.5).to(y.device) for y in coefficients]
        found, values = self.model.walk(coefficients, batch.gammas, known, noise)
        _, picture = self.model.decode(values, batch.gammas, known)
        bits = found.bits.sum(0)
        error = (picture - batch.photos).square().sum(1, keepdim=True)
        weights = LAGRANGIAN.to(error.device)[batch.gammas.cells.long()]
        squared = (F.avg_pool2d(error, CELL)[:, 0] * CELL**2 * weights).sum((1, 2))
        dissimilar = 1 - si_ssim(picture, batch.photos, batch.importance)
        share = self.settings.si_ssim_weight
        distortion = (1 - share) * squared
        if share:
            distortion = distortion + share * squared.detach() * dissimilar / (dissimilar.detach() + 1e-4)
        cost = (bits + distortion) / (bits + distortion).detach()
        figures = {
            "bpp": bits.detach().sum() / batch.photos[:, 0].numel(),
            "PSNR dB": -10 * torch.log10(error.detach().mean((1, 2, 3)) / 3 + 1e-6).mean(),
            "1 - SI-SSIM": dissimilar.detach().mean(),
            "cost": ((bits + squared).detach() / batch.photos[0, 0].numel()).log().mean(),
        }
        return Loss(cost.mean(), figures)


def all_known(batch: Batch) -> Tensor:
    """Every latent of every block is, [N, R, K]."""
    count, rows, columns = batch.gammas.cells.shape
    shape = count, rows * CELL // BLOCK, columns * CELL // BLOCK
    return torch.full(shape, len(LATENTS), device=batch.photos.device)


def truncated(batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
    """Of a share of the photos, blocks lack latents: all alike, or each some of them; [N, R, K]."""
    known = all_known(batch)
    for photo in range(len(known)):
        if rng.random() < share:
            level = int(rng.integers(1, len(LATENTS)))
            spread = int(rng.integers(0, 3))
            drawn = level + rng.integers(-spread, spread + 1, tuple(known.shape[1:]))
            known[photo] = torch.from_numpy(np.clip(drawn, 1, len(LATENTS))).to(known.device)
    return known


def si_ssim(pictures: Tensor, photos: Tensor, importance: Tensor) -> Tensor:
    """SI-SSIM (ResNet VAE Eq. 20) of RGB in 0..1, [N, 3, H, W], by the importance of cells, [N, H / 8, W / 8]: [N]."""
    pictures, photos = pictures.float(), photos.float()
    levels = importance / importance.sum((1, 2), keepdim=True).clamp(min=1e-6)
    mean_x, mean_y = F.avg_pool2d(pictures, CELL), F.avg_pool2d(photos, CELL)
    variances = F.avg_pool2d(pictures**2, CELL) - mean_x**2 + F.avg_pool2d(photos**2, CELL) - mean_y**2
    covariance = F.avg_pool2d(pictures * photos, CELL) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    similar = luminance * (2 * covariance + _C2) / (variances.clamp(min=0) + _C2)
    return (similar.mean(1) * levels).sum((1, 2))


PHASES: dict[str, type[Stage]] = {stage.stage: stage for stage in (PriorAlone, Joint, Rounded)}
