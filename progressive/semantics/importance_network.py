"""Our importance network: one forward pass of a small CNN tells where in a photo the meaning is.

It was distilled from Grad-CAM++ over a classifier's top classes (`progressive.training.importance`), and is built as
such a map is: coarse features of what is where, and a query made of their mean that says which of them matter here.

Legend: N photos, C channels, h x w = the network's input / 16.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.runtime.threads import one_thread
from progressive.semantics.preprocessing import as_rgb, resized
from progressive.semantics.squeezenet import feature_layers

WEIGHTS = Path(__file__).parents[1] / "weights" / "importance.safetensors"

STRIDE = 16
"""Pixels of the network's input a cell of its output."""

INPUT_PIXELS = 192 * 256
"""Every photo is resized to about this many pixels, so that every map costs the same."""

LONGEST = 4
"""The long side is at most this many short ones; a longer photo is squeezed."""

_MAX_WEIGHT_BYTES = 4 * 2**20


class ImportanceNetwork(nn.Module):
    """RGB in 0..1 [N, 3, 16 h, 16 w] -> features [N, C, h, w] -> logits of the importance [N, h, w].

    The features are SqueezeNet 1.1's (Iandola et al. 2016), padded so that every halving is exact. 0.8 million
    parameters, 0.3 GMAC for a photo.
    """

    FEATURES = 512
    QUERY = 64

    def __init__(self) -> None:
        super().__init__()
        self.features = feature_layers(lambda: nn.MaxPool2d(3, stride=2, padding=1), padding=1)
        self.normalise = nn.BatchNorm2d(self.FEATURES)
        self.keys = nn.Conv2d(self.FEATURES, self.QUERY, 1)
        self.query = nn.Sequential(nn.Linear(self.FEATURES, 128), nn.ReLU(), nn.Linear(128, self.QUERY))
        self.always = nn.Conv2d(self.FEATURES, 1, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """What matters in this photo, and what does in any."""
        features: Tensor = self.normalise(self.features(2 * rgb - 1))
        query: Tensor = self.query(features.mean((2, 3)))
        keys: Tensor = self.keys(features)
        always: Tensor = self.always(features)[:, 0]
        return (keys * query[:, :, None, None]).sum(1) / math.sqrt(self.QUERY) + always


def input_sides(height: int, width: int) -> tuple[int, int]:
    """Height and width of the network's input for a photo: about INPUT_PIXELS, its shape nearly kept."""
    aspect = min(max(height / width, 1 / LONGEST), LONGEST)
    ideal = math.sqrt(INPUT_PIXELS * aspect)
    return STRIDE * round(ideal / STRIDE), STRIDE * round(ideal / aspect / STRIDE)


def coarse_importance(photo: Photo) -> NDArray[np.float32]:
    """The importance of a photo in cells: about 192 of them in 0..1, [h, w], whatever the photo's size.

    Raises UsageError if the weights are missing or damaged.
    """
    rgb = as_rgb(resized(photo, *input_sides(*photo.shape[:2])))
    with torch.inference_mode(), one_thread():
        logits: Tensor = load_network()(rgb.contiguous(memory_format=torch.channels_last))
        return logits[0].sigmoid().numpy()


@cache
def load_network(weights: Path = WEIGHTS) -> ImportanceNetwork:
    """The trained network; raises UsageError if the weights are missing, damaged or another network's."""
    network = ImportanceNetwork()
    try:
        network.load_state_dict(load(read_bytes(weights, limit=_MAX_WEIGHT_BYTES)))
    except (SafetensorError, RuntimeError) as error:
        raise UsageError(f"{weights} holds no weights of the importance network: install the project again") from error
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
