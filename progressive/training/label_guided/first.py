"""The first stage: encoder, hyperprior and decoder for rate and squared error (Iwai et al., Eq. 12).

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import BLANK
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS
from progressive.codecs.label_guided.layout import SIDE
from progressive.codecs.label_guided.prior import HYPER_CHANNELS
from progressive.codecs.label_guided.steps import SLOPE, steps_of
from progressive.segments.tiles import BLOCK
from progressive.training.label_guided.model import Noise, Trainee
from progressive.training.label_guided.photos import Batch
from progressive.training.label_guided.stage import Stage
from progressive.training.label_guided.start import start_from_sizes
from progressive.training.phase import Loss

WATCHED_LEVELS = (4, 20, 36)
"""What photos set aside are coded at."""

FIRST_LOOK = 24
"""Crops that starting values are taken from."""

COARSENESS = 1.7
"""Power of an even draw that levels are drawn by."""

HEADS_SHARE, LINEAR_SHARE = 0.25, 0.05
"""The learning rates of heads that are zero at first, and of the linear transform, beside that of all else."""

LEAST_BITS = 200.0


class Coding(Stage):
    """What the phases of the codec itself have in common."""

    def drawn_levels(self, count: int, rng: np.random.Generator) -> Tensor:
        """A level for each photo, most of them coarse ones."""
        lowest, highest = self.settings.lowest_level, self.settings.highest_level
        drawn = lowest + (highest + 1 - lowest) * rng.random(count) ** COARSENESS
        return torch.from_numpy(drawn.astype(np.int64)).clamp(max=highest).to(self.pool.device)

    def drawn_labels(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """The label maps of crops, a share of them blank."""
        labels = batch.labels
        blank = torch.from_numpy(rng.random(len(labels)) < self.settings.blank_share).to(labels.device)
        return torch.where(blank.view(-1, 1, 1), BLANK, labels)

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        lines = []
        for level in WATCHED_LEVELS if self.held_out else ():
            with torch.autocast(self.pool.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
                found = np.mean([watch(model, batch, level) for batch in self.held_out], 0)
            lines.append(f"{found[0]:.4f} bpp {found[1]:.2f} ({found[2]:+.2f}, blank {found[3]:+.2f}) dB")
        return ", ".join(lines)


class First(Coding):
    """R + lambda D, divided by what it is, so that every rate and photo counts alike."""

    stage = "first"

    @property
    def trained(self) -> list[nn.Module]:
        model = self.model
        return [
            *(model.priors.latent, model.linear, model.analysis),
            *(model.hyper_analysis, model.hyper_entropy, model.synthesis),
        ]

    @property
    def flat_share(self) -> float:
        return self.settings.flat_share

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        heads = [*self.model.analysis.leave.parameters(), *self.model.synthesis.leave.parameters()]
        linear = list(self.model.linear.parameters())
        own = {id(p) for p in (*heads, *linear)}
        others = [p for module in self.trained for p in module.parameters() if id(p) not in own]
        return [(others, 1.0), (heads, HEADS_SHARE), (linear, LINEAR_SHARE)]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh:
            batch, levels = self.pool.draw(rng, FIRST_LOOK, self.own.crop), self.drawn_levels(FIRST_LOOK, rng)
            with torch.no_grad():
                start_from_sizes(self.model.priors.latent, self.model.coefficients(batch.photos, levels))

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.latent.set_rounding("none")

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        levels, labels = self.drawn_levels(len(batch.photos), rng), self.drawn_labels(batch, rng)
        known = truncated(batch, rng, self.settings.truncated_share)
        coefficients = self.model.coefficients(batch.photos, levels)
        found = self.model.walk(coefficients, labels, levels, drawn_noise(coefficients, rng))
        _, picture = self.model.decode(found.values * present(known), labels, known, levels)
        bits = found.bits.sum(0)
        squared = (picture - batch.photos).square().sum((1, 2, 3))
        weighted = squared * SLOPE / steps_of(levels).square()
        cost = (bits + weighted) / (bits + weighted + LEAST_BITS).detach()
        figures = {
            "bpp": bits.detach().sum() / batch.photos[:, 0].numel(),
            "PSNR dB": -10 * torch.log10(squared.detach() / batch.photos[0].numel() + 1e-6).mean(),
            "cost": ((bits + weighted).detach() / batch.photos[0, 0].numel()).clamp(min=1e-3).log().mean(),
        }
        return Loss(cost.mean(), figures)


class Rounded(Coding):
    """The hyperprior in integers, on what the encoder makes."""

    stage = "rounded"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.priors.latent]

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.latent.set_rounding("straight-through")

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        levels, labels = self.drawn_levels(len(batch.photos), rng), self.drawn_labels(batch, rng)
        with torch.no_grad():
            coefficients = self.model.coefficients(batch.photos, levels)
        bits = self.model.walk(coefficients, labels, levels).bits.sum(0)
        return Loss(torch.log(bits + LEAST_BITS).mean(), {"bpp": bits.detach().sum() / batch.photos[:, 0].numel()})


def drawn_noise(coefficients: Tensor, rng: np.random.Generator) -> Noise:
    """What stands for rounding, evenly in -0.5..0.5."""
    count, _, height, width = coefficients.shape
    shapes = (count, CHANNELS, height, width), (count, HYPER_CHANNELS, height // SIDE, width // SIDE)
    drawn = [torch.from_numpy(rng.random(shape, np.float32) - 0.5).to(coefficients.device) for shape in shapes]
    return Noise(*drawn)


def truncated(batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
    """How many groups the cells of photos have, [N, h, w]: of a share of the photos blocks lack the last ones."""
    count, _, height, width = batch.photos.shape
    known = torch.full((count, height // BLOCK, width // BLOCK), len(GROUPS))
    for photo in range(count):
        if rng.random() < share:
            drawn = int(rng.integers(1, len(GROUPS))) + rng.integers(-1, 2, tuple(known.shape[1:]))
            known[photo] = torch.from_numpy(np.clip(drawn, 1, len(GROUPS)))
    return known.repeat_interleave(SIDE, 1).repeat_interleave(SIDE, 2).to(batch.photos.device)


def present(known: Tensor) -> Tensor:
    """Which coefficients cells with so many groups have, bool [N, C, h, w]."""
    group = torch.tensor([n for n, own in enumerate(GROUPS) for _ in range(own.stop - own.start)], device=known.device)
    return known[:, None] > group.view(-1, 1, 1)


def watch(model: Trainee, batch: Batch, level: int) -> tuple[float, float, float, float]:
    """Bits a pixel, PSNR, what the decoder gains over the linear picture, and what a blank map changes, in dB."""
    levels = torch.tensor([level], device=batch.photos.device)
    height, width = batch.photos.shape[2:]
    found = model.walk(model.coefficients(batch.photos, levels), batch.labels, levels)
    known = torch.full_like(batch.labels, len(GROUPS))
    linear, picture = model.decode(found.values, batch.labels, known, levels)
    _, blank = model.decode(found.values, torch.full_like(batch.labels, BLANK), known, levels)
    plain, good, without = (
        -10 * math.log10(float((p.clamp(0, 1) - batch.photos).square().mean()) + 1e-9) for p in (linear, picture, blank)
    )
    return float(found.bits.sum()) / (height * width), good, good - plain, without - good
