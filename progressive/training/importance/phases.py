"""How the importance network learns from the teacher's maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from progressive.codec import Photo
from progressive.semantics.importance_network import ImportanceNetwork
from progressive.semantics.preprocessing import as_rgb, resized
from progressive.training.importance.settings import PhaseSettings
from progressive.training.importance.views import SHAPES, Targets, draw
from progressive.training.phase import Loss, Phase

ERROR_WEIGHT = 4
"""Of the squared error beside what lacks of a whole correlation."""


class Distilling(Phase[ImportanceNetwork]):
    """Maximises the correlation of the network's maps with the teacher's.

    Args:
        photos, targets: views to learn from, and the teacher's maps of them.
        held_out, watched: the same of photos set aside.
    """

    own: PhaseSettings

    def __init__(
        self,
        model: ImportanceNetwork,
        own: PhaseSettings,
        photos: Sequence[Photo],
        targets: Sequence[Targets],
        held_out: Sequence[Photo],
        watched: Sequence[Targets],
    ) -> None:
        super().__init__("distillation", model, own)
        self._photos, self._targets, self._held_out, self._watched = photos, targets, held_out, watched
        self._shares = np.array([len(t.views) for t in targets]) / sum(len(t.views) for t in targets)

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The features start from good ones and move more slowly."""
        head = [p for name, p in self.model.named_parameters() if not name.startswith("features.")]
        share = self.own.feature_rate / self.own.learning_rate
        return [(list(self.model.features.parameters()), share), (head, 1.0)]

    def loss(self, rng: np.random.Generator) -> Loss:
        targets = self._targets[rng.choice(len(self._targets), p=self._shares)]
        device = next(self.model.parameters()).device
        rgb, maps = (t.to(device) for t in draw(self._photos, targets, self.own.batch, rng))
        found = self.model(rgb).sigmoid()
        agreement = correlation(found, maps).mean()
        total = 1 - agreement + ERROR_WEIGHT * F.mse_loss(found, maps)
        return Loss(total, {"correlation": agreement.detach()})

    @torch.no_grad()
    def report(self, model: ImportanceNetwork) -> str:
        model.eval()
        device, found = next(model.parameters()).device, []
        for targets in self._watched:
            for view, target in zip(targets.views, targets.maps, strict=True):
                rgb = as_rgb(resized(view.of(self._held_out), *SHAPES[view.shape])).to(device)
                found.append(correlation(model(rgb).sigmoid(), target[None].float().to(device)).item())
        return f"correlation {np.mean(found):.3f}" if found else ""


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, of each pair of maps [N, h, w]; zero where one is flat."""
    a, b = ((m - m.mean((1, 2), keepdim=True)).flatten(1) for m in (a, b))
    return F.cosine_similarity(a, b, dim=1, eps=1e-6)
