"""Importance source by name: our network, or a class activation map of a classifier whose weights are there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos.arrays import as_photo
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.suggestions import use_one_of

if TYPE_CHECKING:
    from progressive.semantics.classifier import Classifier

DEFAULT_SOURCE = "network"

SOURCES: dict[str, str] = {
    "network": "our small network, distilled from Grad-CAM++: one forward pass, nothing to download",
    "gradcam++": "Grad-CAM++ of SqueezeNet 1.1's top classes (Chattopadhay et al. 2018)",
    "gradcam": "Grad-CAM of the same (Selvaraju et al. 2017)",
    "xgradcam": "XGrad-CAM of the same (Fu et al. 2020)",
    "layercam": "LayerCAM of the same (Jiang et al. 2021)",
    "cam": "CAM of the same (Zhou et al. 2016)",
}

TOP_CLASSES = 5
"""A photo shows more than one thing, and the classifier is not always right: the maps of so many classes are mixed."""

Map = NDArray[np.float32]


@neutral()
def importance_map(photo: Photo, source: str = DEFAULT_SOURCE, *, classifier_weights: Path | None = None) -> Map:
    """How much each pixel of a photo [H, W, 3] matters: float32 [H, W] in 0..1, finite whatever the photo.

    `classifier_weights` names the classifier's file for the sources that need one; left out, it is looked for as
    `progressive.semantics.classifier.find_weights` says. Raises UsageError for an unknown source and for weights that
    are missing, damaged or another network's.
    """
    photo = as_photo(photo)
    return upsampled(coarse_importance_map(photo, source, classifier_weights=classifier_weights), photo)


@neutral()
def coarse_importance_map(photo: Photo, source: str = DEFAULT_SOURCE, *, classifier_weights: Path | None = None) -> Map:
    """The same at the source's own resolution [h, w], some 200 cells: enough for whoever averages over areas."""
    check_source(source)
    photo = as_photo(photo)
    if source == DEFAULT_SOURCE:
        from progressive.semantics.importance_network import coarse_importance

        return coarse_importance(photo)
    from progressive.semantics.classifier import find_weights

    return _activation_map(_classifier(find_weights(classifier_weights)), photo, source)


def check_source(source: str) -> None:
    """Raises UsageError if there is no importance source of this name."""
    if source not in SOURCES:
        raise UsageError(f"unknown importance {source!r}: {use_one_of(source, SOURCES)}")


def upsampled(coarse: Map, photo: Photo) -> Map:
    """A map [h, w] at a photo's resolution [H, W], bilinear."""
    import torch

    from progressive.semantics.activation_maps import upsampled as upsample

    with one_thread():
        return np.asarray(upsample(torch.from_numpy(coarse)[None], photo.shape[:2])[0].clamp(0, 1).numpy())


def _activation_map(classifier: Classifier, photo: Photo, method: str) -> Map:
    from progressive.semantics.activation_maps import coarse_mixed_maps

    network, batch = classifier.network, classifier.preprocessing.whole(photo)
    with one_thread():
        maps = coarse_mixed_maps(network, network.features, batch, method=method, top=TOP_CLASSES)
    return np.asarray(maps[0].numpy())


@cache
def _classifier(weights: Path) -> Classifier:
    from progressive.semantics.classifier import load_classifier

    return load_classifier(weights)
