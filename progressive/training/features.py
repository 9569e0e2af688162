"""Semantic feature matching: what a frozen network sees in pictures and in photos.

Legend: N pictures of a batch.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from progressive.semantics.importance_network import ImportanceNetwork, load_network

STAGE_ENDS = (0, 2, 5, 8, 10)
"""Layers of the features between which pictures are compared: 64 to 384 channels at 1/2 to 1/16."""

EPSILON = 1e-6


class Features(nn.Module):
    """What a frozen network, ours of the semantic importance, sees in pictures at several depths."""

    def __init__(self) -> None:
        super().__init__()
        network = ImportanceNetwork()
        network.load_state_dict(load_network().state_dict())
        layers = network.features
        self.stages = nn.ModuleList(layers[start:end] for start, end in pairwise(STAGE_ENDS))
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def distance(self, pictures: Tensor, photos: Tensor) -> Tensor:
        """Semantic feature matching (RMPGC, Eq. 1) over all depths, [N].

        At every position features are scaled to a length of one, as a perceptual distance does it (Zhang et al. 2018,
        Eq. 1): calm areas count as much as lively ones.
        """
        total = torch.zeros(len(pictures), device=pictures.device)
        seen, wanted = (2 * x.contiguous(memory_format=torch.channels_last) - 1 for x in (pictures, photos))
        for stage in self.stages:
            seen = stage(seen)
            with torch.no_grad():
                wanted = stage(wanted)
            total = total + (_directions(seen) - _directions(wanted)).square().sum(1).mean((1, 2)).float()
        return total / len(self.stages)


def _directions(features: Tensor) -> Tensor:
    scaled: Tensor = features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + EPSILON)
    return scaled
