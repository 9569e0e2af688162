"""The backbone as the scheme is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from progressive.codec import Objective
from progressive.codecs.rmpgc.backbones.lsgan.model import CODEC, WEIGHTS, Model
from progressive.codecs.rmpgc.backbones.masked.backbone import MaskedBackbone


class Lsgan(MaskedBackbone):
    """RMPGC's first backbone (Fig. 7 to 10)."""

    def __init__(self, model: Model) -> None:
        super().__init__(CODEC, model)

    @property
    def objective(self) -> Objective:
        return "perception"

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """Raises UsageError if the weights are missing, damaged, or of another model."""
        return cls(Model.load(path))
