"""RMPGC on the backbones of its paper, as codecs of their own."""

from __future__ import annotations

from progressive.codecs.rmpgc.backbone import Backbone
from progressive.codecs.rmpgc.codec import Rmpgc


class RmpgcLsgan(Rmpgc):
    """RMPGC on the LS-GAN backbone (RMPGC Fig. 10)."""

    @staticmethod
    def committed() -> Backbone:
        from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan

        return Lsgan.load()


class RmpgcHyperprior(Rmpgc):
    """RMPGC on the backbone with Gaussian entropy models (RMPGC section V-H)."""

    @staticmethod
    def committed() -> Backbone:
        from progressive.codecs.rmpgc.backbones.hyperprior.backbone import Hyperprior

        return Hyperprior.load()
