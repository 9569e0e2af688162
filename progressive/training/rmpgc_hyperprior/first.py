"""The first phases: encoder, hyperpriors and decoder for rate and squared error; then the priors in integers.

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from progressive.codecs.rmpgc.layout import BLOCK
from progressive.training.crops import Crops
from progressive.training.phase import Loss
from progressive.training.rmpgc_hyperprior.model import Trainee
from progressive.training.rmpgc_hyperprior.stage import Stage
from progressive.training.rmpgc_hyperprior.start import start_from_sizes

FIRST_LOOK = 16
"""Crops that starting values are taken from."""

SLOW_SHARE, LINEAR_SHARE = 0.25, 0.05
"""The learning rates of the analysis but for its last layer, which would die, of what the decoder adds and of the
quantiser; of the linear transform."""

LEAST_BITS = 200.0
"""Added to what a photo costs before its logarithm: below it nothing is gained."""


class First(Stage):
    """R + lambda D under the three conditions, divided by what it is, so that every rate and photo counts alike."""

    stage = "first"

    @property
    def trained(self) -> list[nn.Module]:
        model = self.model
        return [model.priors, model.encoder, model.base_entropy, model.enhance_entropy, model.decoder.synthesis]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        encoder, decoder = self.model.encoder, self.model.decoder
        trunk = encoder.analysis
        calm = [trunk.enter, trunk.down, trunk.blocks, decoder.synthesis.leave, encoder.quantiser]
        slow = [p for module in calm for p in module.parameters()]
        linear = list(encoder.linear.parameters())
        own = {id(p) for p in (*slow, *linear)}
        others = [p for module in self.trained for p in module.parameters() if id(p) not in own]
        return [(others, 1.0), (slow, SLOW_SHARE), (linear, LINEAR_SHARE)]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh:
            photos = self.pool.draw(rng, FIRST_LOOK, self.own.crop).photos
            start_from_sizes(self.model.priors, self.model.encoder, photos)

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.set_rounding("none")

    def loss_of(self, crops: Crops, rng: np.random.Generator) -> Loss:
        photos = crops.photos
        blocks = self.drawn_blocks(photos, rng)
        encoded = self.model.encoded(photos, rng)
        picture = self.model.pictures(encoded, blocks)
        base_bits, enhance_bits = self.model.bits(encoded, rng)
        bits = (base_bits + enhance_bits * blocks).sum((1, 2))
        squared = F.avg_pool2d((picture - photos).square().mean(1), BLOCK) * BLOCK**2
        prices = torch.where(blocks, self.settings.full_mse, self.settings.base_mse) * 255**2
        whole = bits + (squared * prices).sum((1, 2))
        cost = whole / (whole + LEAST_BITS).detach()
        total, figures = cost.mean(), {"cost": (whole.detach() / photos[0, 0].numel()).clamp(min=1e-3).log().mean()}
        figures["bpp"] = bits.detach().mean() / photos[0, 0].numel()
        figures["MSE"] = squared.detach().sum((1, 2)).mean() / photos[0, 0].numel() * 255**2
        if self.settings.first_feature_weight:
            features = self.features.distance(picture, photos)
            relative = features / features.detach().mean().clamp(min=1e-6)
            total = total + self.settings.first_feature_weight * relative.mean()
            figures["features"] = features.detach().mean()
        return Loss(total, figures)


class Rounded(Stage):
    """The priors in integers, on what the encoder makes."""

    stage = "rounded"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.priors]

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.set_rounding("straight-through")

    def loss_of(self, crops: Crops, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            encoded = self.model.encoded(crops.photos)
        bits = [layer.sum((1, 2)) for layer in self.model.bits(encoded)]
        total = torch.stack([torch.log(each + LEAST_BITS).mean() for each in bits]).sum()
        pixels = crops.photos[0, 0].numel()
        names = ("base bpp", "enhance bpp")
        return Loss(total, {n: each.detach().mean() / pixels for n, each in zip(names, bits, strict=True)})
