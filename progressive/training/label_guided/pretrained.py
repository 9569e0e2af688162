"""SqueezeNet 1.1 of ImageNet: what the segmentation starts from, and whose features the second stage compares."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from torch import Tensor

from progressive.semantics.classifier import Classifier, load_classifier
from progressive.semantics.preprocessing import TORCHVISION
from progressive.semantics.squeezenet import SqueezeNet
from progressive.training.importance.teacher import features_for_photos
from progressive.training.label_guided.settings import NO_CLASSIFIER


@cache
def classifier_of(setting: str) -> Classifier:
    """The classifier that a setting names: a file, the usual place if empty, a random network if `none`.

    Raises UsageError if its weights are missing.
    """
    if setting == NO_CLASSIFIER:
        return Classifier(SqueezeNet().eval().requires_grad_(False), TORCHVISION, ())
    return load_classifier(Path(setting) if setting else None)


def trunk_for_photos(classifier: Classifier) -> dict[str, Tensor]:
    """The parameters of the classifier's `features`, the first layer's changed to take RGB in -1..1."""
    return features_for_photos(classifier)
