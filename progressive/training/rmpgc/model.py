"""All of RMPGC that is trained, and the frozen features that it is compared by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.analysis import Analysis
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.semantics.importance_network import STRIDE, ImportanceNetwork, load_network
from progressive.training.rmpgc.context import Context


class Trainee(nn.Module):
    """The modules of the codec; those not given are new.

    `context` is not part of the codec: it stands for the probability networks while the transform is trained.
    """

    def __init__(
        self,
        networks: ProbabilityNetworks | None = None,
        transform: Transform | None = None,
        synthesis: Synthesis | None = None,
        analysis: Analysis | None = None,
    ) -> None:
        super().__init__()
        self.networks = networks or ProbabilityNetworks()
        self.transform = transform or Transform()
        self.synthesis = synthesis or Synthesis()
        self.context = Context()
        self.analysis = analysis or Analysis()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def analyse(self, photos: Tensor) -> list[Tensor]:
        """What the codec codes of photos in their colours, RGB in 0..1 [N, 3, H, W]: all scales."""
        added = self.analysis(photos)
        return [y + more for y, more in zip(self.transform.analyse(photos), added, strict=True)]


class Semantics(nn.Module):
    """What a frozen network sees in photos: middle features of our importance network, and the importance itself."""

    LAYERS = 8
    """Of SqueezeNet's features: 256 channels at 1/8 of the resolution."""

    def __init__(self) -> None:
        super().__init__()
        network = ImportanceNetwork()
        network.load_state_dict(load_network().state_dict())
        self.network = network.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def distance(self, pictures: Tensor, photos: Tensor) -> Tensor:
        """Squared distance of the features of pictures and photos, relative to the photos' own size, [N]."""
        seen = self._middle(pictures)
        with torch.no_grad():
            wanted = self._middle(photos)
        apart = (seen - wanted).square().mean((1, 2, 3))
        distance: Tensor = apart / (wanted.square().mean((1, 2, 3)) + 1e-6)
        return distance

    @torch.no_grad()
    def importance(self, photos: Tensor) -> Tensor:
        """The importance of blocks of 64 pixels, RGB in 0..1 [N, 3, 64 R, 64 K] -> [N, R, K] in 0..1."""
        logits: Tensor = self.network(photos.contiguous(memory_format=torch.channels_last))
        return F.avg_pool2d(logits.sigmoid()[:, None], BLOCK // STRIDE)[:, 0]

    def _middle(self, rgb: Tensor) -> Tensor:
        features: Tensor = self.network.features[: self.LAYERS](
            2 * rgb.contiguous(memory_format=torch.channels_last) - 1
        )
        return features
