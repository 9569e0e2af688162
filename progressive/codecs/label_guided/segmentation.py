"""Which class each cell of a photo shows: a small network of the encoder's own.

The trunk is SqueezeNet 1.1 (Iandola et al. 2016), padded so that every halving is exact; its features at 1/16, 1/8 and
1/4 of the resolution meet in a light decoder. Only encoders use it: a better one writes streams that old decoders show.

Legend: N photos; K classes; H, W multiples of 16.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codec import Photo
from progressive.codecs.label_guided.classes import COUNT
from progressive.semantics.preprocessing import as_rgb, resized
from progressive.semantics.squeezenet import feature_layers

STRIDE = 16
LONGEST_SIDE = 640
"""Larger photos are looked at at this size: what a street scene shows is as large there as in those trained on."""

WIDTH, FINE = 96, 48
ENDS = (5, 8, 13)
"""Layers of the trunk after which its features have 1/4, 1/8 and 1/16 of the resolution."""

GAINS = (0.02, 0.025, 0.1)
"""What these features are multiplied with: they are as large as the classifier wanted them."""

SHAPE = f"squeezenet-1.1 {WIDTH} {FINE}"


class Segmentation(nn.Module):
    """RGB in 0..1 [N, 3, H, W] -> logits [N, K, H / 4, W / 4]; 0.9 million parameters, 1.1 GMAC for 480x360."""

    def __init__(self, classes: int = COUNT) -> None:
        super().__init__()
        self.features = feature_layers(lambda: nn.MaxPool2d(3, stride=2, padding=1), padding=1)
        self.context = nn.Conv2d(512, WIDTH, 1)
        self.around = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.everywhere = nn.Conv2d(512, WIDTH, 1)
        self.middle = nn.Conv2d(256, WIDTH, 1)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.narrow = nn.Conv2d(WIDTH, FINE, 1)
        self.fine = nn.Conv2d(128, FINE, 1)
        self.last = nn.Conv2d(FINE, FINE, 3, padding=1)
        self.out = nn.Conv2d(FINE, classes, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        fine = self.features[: ENDS[0]](2 * rgb - 1)
        middle = self.features[ENDS[0] : ENDS[1]](fine)
        coarse = self.features[ENDS[1] : ENDS[2]](middle)
        fine, middle, coarse = (x * gain for x, gain in zip((fine, middle, coarse), GAINS, strict=True))
        h = F.relu(self.context(coarse) + self.everywhere(coarse.mean((2, 3), keepdim=True)))
        h = h + F.relu(self.around(h))
        h = F.relu(self.mix(_doubled(h) + self.middle(middle)))
        h = F.relu(self.last(_doubled(self.narrow(h)) + self.fine(fine)))
        logits: Tensor = self.out(h)
        return logits


def probabilities(network: Segmentation, photo: Photo) -> Tensor:
    """How likely each class is in a photo [H, W, 3], at the size that the network looks at: [1, K, h, w]."""
    height, width = looked_at(*photo.shape[:2])
    rgb = as_rgb(resized(photo, height, width))
    # Photos of few pixels are enlarged to a position of the trunk's by their own edges.
    below, right = -height % STRIDE, -width % STRIDE
    rgb = F.pad(rgb, (0, right, 0, below), mode="replicate").contiguous(memory_format=torch.channels_last)
    full = F.interpolate(network(rgb).float(), scale_factor=4, mode="bilinear")
    return full[:, :, :height, :width].softmax(1)


def looked_at(height: int, width: int) -> tuple[int, int]:
    """The size that a photo is looked at, its shape kept."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def cell_labels(found: Tensor, height: int, width: int) -> tuple[NDArray[np.int8], float]:
    """The likeliest class of each cell of 16 pixels, [ceil(H / 16), ceil(W / 16)], and the mean of its likelihood.

    Args:
        found: likelihoods of the whole photo, [1, K, h, w].
        height, width: of the photo.
    """
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    below = round(rows * STRIDE * found.shape[2] / height) - found.shape[2]
    right = round(columns * STRIDE * found.shape[3] / width) - found.shape[3]
    whole = F.pad(found, (0, right, 0, below), mode="replicate")
    cells = F.interpolate(whole, size=(rows, columns), mode="area")[0]
    labels = cells.argmax(0).to(torch.int8).numpy()
    return np.asarray(labels), float(found.amax(1).mean())


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
