"""The teacher of the importance network: Grad-CAM++ over the top classes, and the features that it starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.semantics.activation_maps import coarse_mixed_maps, upsampled
from progressive.semantics.classifier import Classifier
from progressive.semantics.sources import TOP_CLASSES


def teacher_map(classifier: Classifier, photo: Photo, cells: Sequence[int]) -> NDArray[np.float32]:
    """The mean of what the importance source `gradcam++` says of a photo and of its mirror image, [h, w] in 0..1."""
    whole = classifier.preprocessing.whole(photo)
    network, both = classifier.network, torch.cat((whole, whole.flip(3)))
    maps = coarse_mixed_maps(network, network.features, both, top=TOP_CLASSES)
    mean = torch.stack((maps[0], maps[1].flip(1))).mean(0, keepdim=True)
    return np.asarray(upsampled(mean, cells)[0].numpy())


def features_for_photos(classifier: Classifier) -> dict[str, Tensor]:
    """The parameters of the classifier's `features`, the first layer's changed to take RGB in -1..1 without more ado.

    The classifier normalises samples x in 0..1 to (scale x - mean) / std in its own order of channels.
    """
    preprocessing = classifier.preprocessing
    mean, std = (torch.tensor(v)[:, None, None] for v in (preprocessing.mean, preprocessing.std))
    parameters = {name: t.clone() for name, t in classifier.network.features.state_dict().items()}
    weight, half = parameters["0.weight"], preprocessing.scale / 2
    parameters["0.bias"] += (weight * (half - mean) / std).sum((1, 2, 3))
    scaled = weight * half / std
    parameters["0.weight"] = scaled if preprocessing.order == "RGB" else scaled.flip(1)
    return parameters
