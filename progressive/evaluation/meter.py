"""What is measured of every picture of a photo."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from progressive import metrics
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.curves import Point
from progressive.metrics.recognition import PhotoClassifier

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Judges:
    """Networks that judge pictures; each is None where its weights are not there.

    Fields:
        digest: SHA-256 of their weights, in hexadecimal; empty without any.
    """

    perceptual: Callable[[Photo, Photo], float | None] | None = None
    perceptual_name: str = "LPIPS"
    classifier: PhotoClassifier | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures pictures against their original, [H, W, 3].

    Fields:
        label: class number of what the photo shows; None if it is not known.
    """

    original: Photo
    judges: Judges = Judges()
    label: int | None = None

    @property
    def pixels(self) -> int:
        return math.prod(self.original.shape[:2])

    def __call__(self, picture: Photo, size: int, setting: str = "") -> Point:
        """The point of a picture that a file of this many bytes gives; raises UsageError if the shapes differ."""
        perceptual = self.judges.perceptual
        top1, probability = self._recognition(picture)
        return Point(
            bytes=size,
            psnr=metrics.psnr(picture, self.original),
            ms_ssim=metrics.ms_ssim(picture, self.original),
            lpips=perceptual(picture, self.original) if perceptual else None,
            top1=top1,
            probability=probability,
            setting=setting,
        )

    def _recognition(self, picture: Photo) -> tuple[float | None, float | None]:
        if self.judges.classifier is None or self.label is None:
            return None, None
        probabilities = self.judges.classifier.probabilities([picture])[0]
        return float(probabilities.argmax() == self.label), float(probabilities[self.label])


@cache
def load_judges(classifier_weights: Path | None, lpips_weights: Path | None, *, recognise: bool) -> Judges:
    """The judges whose weights are found; a process loads them once.

    Args:
        recognise: a classifier is needed.

    Raises UsageError if the classifier, or a file that is named, is missing or damaged.
    """
    from progressive.metrics.perceptual import find_linear_weights, load_perceptual_distance
    from progressive.semantics.classifier import load_classifier

    classifier = load_classifier(classifier_weights) if recognise else None
    try:
        perceptual = load_perceptual_distance(
            find_linear_weights(lpips_weights, classifier_weights), classifier_weights
        )
    except UsageError:
        if lpips_weights:
            raise
        return Judges(classifier=classifier, digest=_digest(classifier.network.parameters()) if classifier else "")
    weights = [*perceptual.classifier.network.parameters(), *perceptual.linear]
    return Judges(perceptual, perceptual.name, classifier, _digest(weights))


def _digest(weights: Iterable[Tensor]) -> str:
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in weights)).hexdigest()
