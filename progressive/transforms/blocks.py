"""Parts that the float networks of codecs are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """h -> h + second(relu(first(relu(h)))); the second convolution is small at first. Argument: channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, h: Tensor) -> Tensor:
        added: Tensor = self.second(F.relu(self.first(F.relu(h))))
        return h + added


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
