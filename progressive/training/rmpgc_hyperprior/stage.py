"""What the phases have in common: crops under the three conditions, and photos to watch.

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from progressive.training.conditions import blocks_under
from progressive.training.crops import CropPool, Crops
from progressive.training.features import Features
from progressive.training.phase import Loss, Phase
from progressive.training.rmpgc.model import Semantics
from progressive.training.rmpgc_hyperprior.conditions import drawn_conditions
from progressive.training.rmpgc_hyperprior.model import Encoded, Trainee
from progressive.training.rmpgc_hyperprior.settings import PhaseSettings, Settings


class Stage(Phase[Trainee]):
    """A phase of the backbone.

    Args:
        semantics: where meaning is.
        pool: photos to train on.
        held_out: photos to watch, of whole blocks.
    """

    stage: ClassVar[str]
    own: PhaseSettings

    def __init__(
        self,
        model: Trainee,
        settings: Settings,
        semantics: Semantics,
        pool: CropPool,
        held_out: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(self.stage, model, settings.phase(self.stage))
        self.settings, self.semantics, self.pool, self.held_out = settings, semantics, pool, held_out

    def loss(self, rng: np.random.Generator) -> Loss:
        crops = self.pool.draw(rng, self.own.batch, self.own.crop, self.settings.flat_share)
        with torch.autocast(self.pool.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
            return self.loss_of(crops, rng)

    @abstractmethod
    def loss_of(self, crops: Crops, rng: np.random.Generator) -> Loss:
        """The loss of a batch."""

    def drawn_blocks(self, photos: Tensor, rng: np.random.Generator) -> Tensor:
        """Which blocks have the enhance layer, under conditions of chance, bool [N, R, K]."""
        return blocks_under(drawn_conditions(len(photos), rng), photos, self.semantics.importance)

    @cached_property
    def features(self) -> Features:
        """What sees the meaning of pictures."""
        return Features().to(self.pool.device)

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        found = []
        for photo in self.held_out:
            with torch.autocast(photo.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
                encoded = model.encoded(photo)
                blocks = [blocks_under([u], photo, self.semantics.importance) for u in range(3)]
                found.append([watch(model, photo, encoded, known) for known in blocks])
        names = zip(("0", "B", "1"), np.mean(found, 0), strict=True) if found else ()
        return ", ".join(f"U = {name}: {bpp:.4f} bpp {quality:.2f} dB" for name, (bpp, quality) in names)


def watch(model: Trainee, photo: Tensor, encoded: Encoded, blocks: Tensor) -> tuple[float, float]:
    """Bits a pixel and PSNR of a photo of which these blocks have the enhance layer."""
    base, enhance = model.bits(encoded)
    bits = float(base.sum() + (enhance * blocks).sum())
    error = float((model.pictures(encoded, blocks).clamp(0, 1) - photo).square().mean())
    return bits / photo[0, 0].numel(), -10 * float(np.log10(error + 1e-9))
