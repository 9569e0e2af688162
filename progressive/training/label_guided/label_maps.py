"""The phase that trains the probabilities of label maps (Iwai et al., Eq. 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.label_prior import LabelPrior, seen_cells
from progressive.exact.layers import UNIT
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import Batch
from progressive.training.label_guided.stage import Stage
from progressive.training.phase import Loss

ROUNDED_FROM = 0.5
"""The share of the phase after which the network computes in integers."""


class LabelMaps(Stage):
    """The network of label maps, on those of crops."""

    stage = "labels"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.priors.labels]

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.labels.set_rounding("straight-through" if step >= ROUNDED_FROM * self.own.steps else "none")

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        labels = batch.labels
        bits = label_bits(self.model.priors.labels, labels, COUNT) / labels[0].numel()
        return Loss(bits.mean(), {"bits a cell": bits.detach().mean()})

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        found = [label_bits(model.priors.labels, batch.labels, COUNT) / 8 for batch in self.held_out]
        return f"{_mean(found):.1f} bytes a label map" if found else ""


def label_bits(prior: LabelPrior, labels: Tensor, classes: int) -> Tensor:
    """What label maps of so many classes cost, [N]; int64 [N, h, w], without autocast."""
    with torch.autocast(labels.device.type, enabled=False):
        logits = prior(seen_cells(labels, classes) * UNIT)
        nats = F.cross_entropy(logits.float(), labels, reduction="none")
    return nats.sum((1, 2)) / math.log(2)


def _mean(found: Sequence[Tensor]) -> float:
    return float(torch.cat(list(found)).mean())
