"""The teacher of the importance network: Grad-CAM++ over a classifier's top classes, and what its features are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from progressive.codec import Photo
from progressive.semantics.activation_maps import coarse_mixed_maps, upsampled
from progressive.semantics.classifier import Classifier, load_classifier
from progressive.semantics.sources import TOP_CLASSES

COMPONENTS = 48
"""Principal components of the classifier's 512 features that the network learns along with the map."""


class Teacher:
    """Looks at a photo as the importance source `gradcam++` does, and at its mirror image, for a cleaner map."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.head = nn.Sequential(nn.Identity(), classifier.network.classifier, nn.Flatten())
        self.mean = torch.zeros(512)
        self.components = torch.zeros(512, COMPONENTS)

    @classmethod
    def load(cls, weights: Path | None) -> Teacher:
        """Raises UsageError if the classifier's weights are missing, damaged or another network's."""
        return cls(load_classifier(weights))

    def fit_components(self, photos: Sequence[Photo]) -> None:
        """Finds the principal components of the features in these photos."""
        vectors = torch.cat([self._features(photo)[0].flatten(1).T for photo in photos])
        self.mean = vectors.mean(0)
        _, _, directions = torch.linalg.svd((vectors - self.mean).T @ (vectors - self.mean))
        self.components = directions[:COMPONENTS].T.contiguous()

    def look(self, photo: Photo, cells: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The map [h, w] in 0..1 and the features' components [P, h, w] at so many cells."""
        features = self._features(photo)
        maps = coarse_mixed_maps(self.head, self.head[0], features, top=TOP_CLASSES)
        both = upsampled(torch.stack((maps[0], maps[1].flip(1))).mean(0, keepdim=True), cells)
        components = torch.einsum("khw,kp->phw", features[0] - self.mean[:, None, None], self.components)
        return both[0].numpy(), F.interpolate(components[None], cells, mode="bilinear")[0].numpy()

    def _features(self, photo: Photo) -> Tensor:
        """Of the photo and of its mirror image, [2, 512, h, w]."""
        whole = self.classifier.preprocessing.whole(photo)
        features: Tensor = self.classifier.network.features(torch.cat((whole, whole.flip(3))))
        return features
