"""The second stage (Iwai et al., Eq. 13-15): the decoder alone, for features, squared error and discriminators.

Legend: N photos of a batch.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from progressive.codecs.label_guided.classes import BLANK
from progressive.codecs.label_guided.steps import FINEST
from progressive.semantics.classifier import Classifier
from progressive.training.label_guided.first import Coding, present, truncated
from progressive.training.label_guided.labels import VOID
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import Batch
from progressive.training.label_guided.pretrained import classifier_of
from progressive.training.phase import Loss

FEATURE_ENDS = (0, 2, 5, 8, 10, 12)
"""Layers of SqueezeNet's `features` between which pictures are compared."""

FLAT_WEIGHT = 400.0
"""Of the squared error of pictures of a single colour."""


class Second(Coding):
    """The decoder against discriminators that see the label map; encoder and hyperprior are fixed."""

    stage = "second"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.synthesis, self.model.discriminators]

    @property
    def flat_share(self) -> float:
        return self.settings.flat_share

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        return [
            (list(self.model.synthesis.parameters()), 1.0),
            (list(self.model.discriminators.parameters()), self.settings.discriminator_share),
        ]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        self.model.begin_second()

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.latent.set_rounding("straight-through")

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        settings, photos = self.settings, batch.photos
        levels, labels = self.drawn_levels(len(photos), rng), self.drawn_labels(batch, rng)
        # Calm photos are coded finely, and there a change shows.
        levels = torch.where(batch.flat, FINEST - levels // 3, levels)
        known = truncated(batch, rng, settings.truncated_share)
        with torch.no_grad():
            found = self.model.walk(self.model.coefficients(photos, levels), labels, levels)
        _, picture = self.model.decode(found.values * present(known), labels, known, levels)
        squared = (picture - photos).square().mean((1, 2, 3))
        total = (squared * torch.where(batch.flat, FLAT_WEIGHT, settings.mse_weight)).mean()
        figures = {"PSNR dB": -10 * torch.log10(squared.detach().mean() + 1e-6)}
        # A picture of a single colour has no texture to be right: features and discriminators would make one up.
        real = torch.nonzero(~batch.flat)[:, 0]
        if not len(real):
            return Loss(total, figures)
        made, true, own = picture[real], photos[real], Batch(photos[real], batch.classes[real], batch.flat[real])
        if settings.feature_weight:
            features = feature_distance(self._classifier, made, true)
            total, figures["features"] = total + settings.feature_weight * features, features.detach()
        if settings.semantic_weight:
            classes = self._unlike_labels(made, own, labels[real])
            total, figures["classes"] = total + settings.semantic_weight * classes, classes.detach()
        if settings.adversarial_weight:
            fooled, told = self._adversarial(made, true, own.full_maps)
            total = total + settings.adversarial_weight * fooled + told
            figures |= {"fooled": fooled.detach(), "told apart": told.detach()}
        return Loss(total, figures)

    def _adversarial(self, picture: Tensor, photos: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's loss (Eq. 14) and the discriminators' (Eq. 15); neither reaches the other's weights."""
        judges = self.model.discriminators
        fixed = {name: p.detach() for name, p in judges.named_parameters()}
        seen = [torch.cat([p - 0.5, maps], 1) for p in (picture, picture.detach(), photos)]
        made: list[Tensor] = functional_call(judges, fixed, (seen[0],))
        fooled = torch.stack([(score - 1).square().mean() for score in made]).mean()
        told = torch.stack(
            [
                0.5 * (false.square().mean() + (true - 1).square().mean())
                for false, true in zip(judges(seen[1]), judges(seen[2]), strict=True)
            ]
        ).mean()
        return fooled, told

    def _unlike_labels(self, picture: Tensor, batch: Batch, labels: Tensor) -> Tensor:
        """Cross-entropy of what the segmentation finds in pictures, where a label map was given."""
        given = torch.where(labels[:, :1, :1] == BLANK, VOID, batch.classes)
        fixed = {name: p.detach() for name, p in self.model.segmentation.named_parameters()}
        logits: Tensor = functional_call(self.model.segmentation, fixed, (picture,))
        full = functional.interpolate(logits.float(), scale_factor=4, mode="bilinear")
        nats = functional.cross_entropy(full, given, ignore_index=VOID, reduction="sum")
        return nats / (given != VOID).sum().clamp(min=1)

    @cached_property
    def _classifier(self) -> Classifier:
        return classifier_of(self.settings.classifier)


def feature_distance(classifier: Classifier, pictures: Tensor, photos: Tensor) -> Tensor:
    """How differently a classifier's layers see pictures and photos, RGB around 0..1 [N, 3, H, W].

    The mean over layers of the squared differences of directions, as LPIPS compares them, all channels alike.
    """
    seen, network = classifier.preprocessing.normalise(torch.cat([pictures, photos])), classifier.network
    total = pictures.new_zeros(())
    for start, end in pairwise(FEATURE_ENDS):
        seen = network.features[start:end](seen)
        directions = functional.normalize(seen.float(), dim=1, eps=1e-6)
        made, true = directions.chunk(2)
        total = total + (made - true).square().sum(1).mean()
    return total / (len(FEATURE_ENDS) - 1)
