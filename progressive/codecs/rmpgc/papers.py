"""RMPGC on the backbones of its paper, as codecs of their own."""

from __future__ import annotations

from pathlib import Path

from progressive.codecs.rmpgc.backbone import Backbone
from progressive.codecs.rmpgc.codec import Rmpgc


class RmpgcLsgan(Rmpgc):
    """RMPGC on the LS-GAN backbone (RMPGC Fig. 10)."""

    @staticmethod
    def committed(weights: Path | None = None) -> Backbone:
        from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan

        return Lsgan.load() if weights is None else Lsgan.load(weights)


class RmpgcHyperprior(Rmpgc):
    """RMPGC on the backbone with Gaussian entropy models (RMPGC section V-H)."""

    @staticmethod
    def committed(weights: Path | None = None) -> Backbone:
        from progressive.codecs.rmpgc.backbones.hyperprior.backbone import Hyperprior

        return Hyperprior.load() if weights is None else Hyperprior.load(weights)
