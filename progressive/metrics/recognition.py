"""How well the photos of a labelled folder are still recognised: top-1 and top-5 of a classifier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.photos import SUFFIXES, read_photo

LABELS_FILE = "labels.tsv"
_MAX_LABELS_BYTES = 100_000_000
_BATCH = 8


class PhotoClassifier(Protocol):
    """What `progressive.semantics.classifier.Classifier` is."""

    def probabilities(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Of each class, [N, classes]."""
        ...


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A file and the number of the class that it shows."""

    path: Path
    label: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the true class was the classifier's first choice, and among its first five.

    Fields:
        photos: how many were classified.
        top1, top5: shares of them, 0..1.
    """

    photos: int
    top1: float
    top5: float


def accuracy(probabilities: NDArray[np.floating[Any]], labels: Sequence[int]) -> Accuracy:
    """Of [N, classes] against N labels, N of one or more; of equal probabilities the lower class number comes first."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    hits = ranked == np.asarray(labels)[:, None]
    return Accuracy(len(labels), float(hits[:, 0].mean()), float(hits.any(axis=1).mean()))


def folder_accuracy(photos: Sequence[LabelledPhoto], classifier: PhotoClassifier) -> Accuracy:
    """The accuracy over labelled photos, read a few at a time; raises UsageError if one cannot be read."""
    batches = [photos[start : start + _BATCH] for start in range(0, len(photos), _BATCH)]
    probabilities = np.concatenate([classifier.probabilities([read_photo(p.path) for p in b]) for b in batches])
    labels = [photo.label for photo in photos]
    if max(labels) >= probabilities.shape[1]:
        raise UsageError(
            f"a label is {max(labels)}, but the classifier knows classes 0 to {probabilities.shape[1] - 1}"
        )
    return accuracy(probabilities, labels)


def read_labels(folder: Path, labels: Path | None = None) -> list[LabelledPhoto]:
    """The labelled photos of a folder.

    Args:
        folder: of photos.
        labels: lines of file name, class number and anything more, separated by tabs; `labels.tsv` in the folder if
            left out. A photo may have another suffix than the labels say, so that coded copies need no labels of
            their own.

    Raises UsageError if the labels cannot be read or a photo is missing.
    """
    file = labels or folder / LABELS_FILE
    lines = read_bytes(file, limit=_MAX_LABELS_BYTES).decode("utf-8-sig", "replace").splitlines()
    photos = [_labelled(folder, file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not photos:
        raise UsageError(f"{file} labels no photo: give lines of file name, tab, class number")
    return photos


def _labelled(folder: Path, file: Path, number: int, line: str) -> LabelledPhoto:
    name, _, rest = line.partition("\t")
    label = rest.partition("\t")[0].strip()
    if not Path(name).name or not re.fullmatch("[0-9]{1,9}", label):
        raise UsageError(f"cannot read line {number} of {file}: give file name, tab, class number")
    return LabelledPhoto(_find(folder / name), int(label))


def _find(path: Path) -> Path:
    """The file, or the same with another suffix of a photo."""
    for candidate in (path, *(path.with_suffix(suffix) for suffix in SUFFIXES)):
        if candidate.is_file():
            return candidate
    raise UsageError(f"no photo {path}, which the labels name, with any suffix of a photo")
