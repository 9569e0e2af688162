"""The phase that trains the segmentation: cross-entropy, rare classes weighted up.

Legend: N crops, K classes.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import COUNT
from progressive.training.label_guided.labels import VOID
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import Batch
from progressive.training.label_guided.scores import confusion, mean_iou
from progressive.training.label_guided.stage import Stage
from progressive.training.phase import Loss

RARITY = 0.5
"""Power of a class's rarity that its weight is."""

TRUNK_SHARE = 0.3
"""The learning rate of the trunk beside that of the decoder."""


class Segmenting(Stage):
    """The encoder's network that finds the classes."""

    stage = "segmentation"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.segmentation]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        trunk = list(self.model.segmentation.features.parameters())
        own = {id(p) for p in trunk}
        return [(trunk, TRUNK_SHARE), ([p for p in self.model.segmentation.parameters() if id(p) not in own], 1.0)]

    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        logits = self.model.segmentation(batch.photos).float()
        full = F.interpolate(logits, scale_factor=4, mode="bilinear")
        loss = F.cross_entropy(full, batch.classes, self._weights.to(full), ignore_index=VOID)
        right = (full.argmax(1) == batch.classes).sum() / (batch.classes != VOID).sum().clamp(min=1)
        return Loss(loss, {"cross-entropy": loss.detach(), "right": right})

    @property
    def _weights(self) -> Tensor:
        if not hasattr(self, "_counted"):
            counts = sum(torch.bincount(m.flatten().long(), minlength=256)[:COUNT] for m in self.pool.maps)
            share = (torch.as_tensor(counts).float() + 1) / (torch.as_tensor(counts).sum() + COUNT)
            weights = share.clamp(min=1e-3) ** -RARITY
            self._counted = weights / (weights * share).sum()
        return self._counted

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        if not self.held_out:
            return ""
        counts = np.zeros((COUNT, COUNT), np.int64)
        for batch in self.held_out:
            logits = F.interpolate(model.segmentation(batch.photos).float(), scale_factor=4, mode="bilinear")
            counts += confusion(logits.argmax(1).cpu().numpy(), batch.classes.cpu().numpy())
        return f"mean IoU {mean_iou(counts):.4f}, pixels right {np.trace(counts) / counts.sum():.4f}"
