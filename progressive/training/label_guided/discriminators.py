"""The three-scale patch discriminator, which sees the label map at full resolution (Iwai et al., section III-F).

Legend: N pictures; K classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import COUNT

SCALES = 3
"""The picture itself, and at a half and a quarter of its resolution."""

WIDTHS = (32, 64, 96)
SLOPE = 0.2


class Discriminator(nn.Module):
    """Picture and label map -> how real each patch looks, [N, 1, h, w]: 1 for photos, 0 for what was made."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.layers = nn.Sequential(
            nn.Conv2d(3 + COUNT, first, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(second, third, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(third, 1, 3, padding=1),
        )

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.layers(seen)
        return found


class Discriminators(nn.Module):
    """One for each scale, alike but for their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList([Discriminator() for _ in range(SCALES)])

    def forward(self, seen: Tensor) -> list[Tensor]:
        """Pictures about zero beside one-hot classes, [N, 3 + K, H, W]."""
        found = []
        for number, discriminator in enumerate(self.scales):
            if number:
                seen = F.avg_pool2d(seen, 2)
            found.append(discriminator(seen).float())
        return found
