"""SqueezeNet 1.1 (Iandola et al. 2016), an image classifier, its parameters named as torchvision names them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES = 1000
"""Classes of ImageNet's challenge of 2012."""


class Fire(nn.Module):
    """Squeezes channels by a 1x1 convolution, then expands them by 1x1 and 3x3 ones, side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat((self.expand1x1(squeezed), self.expand3x3(squeezed)), 1))


class SqueezeNet(nn.Module):
    """Photos [N, 3, H, W], normalised as the weights want, to class scores [N, classes]; sides of 17 pixels or more.

    `features` ends in 512 channels at 1/16 of the resolution; `classifier` is a 1x1 convolution, a ReLU and a mean
    over positions.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.features = feature_layers(lambda: nn.MaxPool2d(3, stride=2, ceil_mode=True))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(x))
        return scores.flatten(1)


def feature_layers(halve: Callable[[], nn.Module], *, padding: int = 0) -> nn.Sequential:
    """The layers from a photo to 512 channels at 1/16 of its resolution; `padding` is the first convolution's."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2, padding=padding),
        nn.ReLU(),
        halve(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        halve(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        halve(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
