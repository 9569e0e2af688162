"""Perceptual distance: how differently a classifier's layers see two pictures (LPIPS, Zhang et al. 2018)."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.metrics.pairs import check_pair
from progressive.runtime.torch_state import neutral
from progressive.semantics.classifier import VARIABLE as CLASSIFIER_VARIABLE
from progressive.semantics.classifier import Classifier, load_classifier
from progressive.semantics.downloads import PUBLISHED, cache_folder
from progressive.semantics.preprocessing import as_rgb

VARIABLE = "PROGRESSIVE_LPIPS"
"""Environment variable that names the file of linear layers."""

FILE = "lpips_squeeze_linear_v0.1.safetensors"
"""Looked for beside the classifier's weights and in the cache."""

STAGE_ENDS = (0, 2, 5, 8, 10, 11, 12, 13)
"""Layers of SqueezeNet's `features` between which LPIPS compares."""

SHORTEST_SIDE = 17
"""Below, SqueezeNet has no position left."""

MAX_PIXELS = 12_000_000
"""The first layer's activations of two pictures of this size take about 3 GB."""

_MAX_BYTES = 2**20
_EPSILON = 1e-10
_DAMAGED = (
    *(SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, TypeError, LookupError),
    *(AttributeError, EOFError, OSError),
)


@dataclass(frozen=True, slots=True)
class PerceptualDistance:
    """LPIPS v0.1 on SqueezeNet 1.1.

    Fields:
        classifier: whose layers see.
        linear: weights of the channels of each of the seven stages, [C] each, zero or more.
    """

    classifier: Classifier
    linear: tuple[Tensor, ...]

    @property
    def name(self) -> str:
        """The published distance is on torchvision's weights; on Caffe's it is another, not to be compared with it."""
        return "LPIPS (SqueezeNet-Caffe)" if self.classifier.preprocessing.order == "BGR" else "LPIPS (SqueezeNet)"

    @neutral()
    def __call__(self, picture: Photo, original: Photo) -> float | None:
        """The distance between two [H, W, 3] pictures at full resolution, zero or more, 0 if they are equal.

        sum over stages of the mean over positions of w . (a / |a| - b / |b|)**2 (Zhang et al. 2018, Eq. 1). None if a
        side is below 17 pixels or the picture has more than 12 megapixels. Raises UsageError if the shapes differ.
        """
        check_pair(picture, original)
        if min(picture.shape[:2]) < SHORTEST_SIDE or picture.shape[0] * picture.shape[1] > MAX_PIXELS:
            return None
        distance = 0.0
        with torch.inference_mode():
            seen = self.classifier.preprocessing.normalise(torch.cat([as_rgb(picture), as_rgb(original)]))
            for (start, end), weights in zip(pairwise(STAGE_ENDS), self.linear, strict=True):
                seen = self.classifier.network.features[start:end](seen)
                directions = seen / (torch.linalg.vector_norm(seen, dim=1, keepdim=True) + _EPSILON)
                difference = (directions[0] - directions[1]).square().mean((1, 2))
                distance += float(difference @ weights)
        return distance


@neutral()
def load_perceptual_distance(
    linear_weights: Path | None = None, classifier_weights: Path | None = None
) -> PerceptualDistance:
    """The distance with weights from these files, or from where `find_linear_weights` and the classifier look.

    Raises UsageError if either file is missing, damaged, or another network's.
    """
    linear = _read_linear(find_linear_weights(linear_weights, classifier_weights))
    return PerceptualDistance(load_classifier(classifier_weights), linear)


def find_linear_weights(given: Path | None = None, classifier_weights: Path | None = None) -> Path:
    """The file given, else what PROGRESSIVE_LPIPS names, else one beside the classifier's weights, else what was
    downloaded on request, else that of the package lpips if it is installed.

    Raises UsageError if it is nowhere.
    """
    named = given or _from_environment(VARIABLE)
    if named is not None:
        places = [named]
    else:
        classifier = classifier_weights or _from_environment(CLASSIFIER_VARIABLE)
        beside = [classifier.parent / FILE] if classifier else []
        places = [*beside, cache_folder() / FILE, PUBLISHED["lpips"].path, *_of_the_package()]
    for path in places:
        if path.is_file():
            return path
    raise UsageError(f"no weights of LPIPS at {' or '.join(map(str, places))}: {_HOW_TO_GET}")


def _of_the_package() -> list[Path]:
    """The published file in the package lpips, without importing it; none if it is not installed."""
    package = find_spec("lpips")
    return [Path(package.origin).parent / "weights" / "v0.1" / "squeeze.pth"] if package and package.origin else []


def _from_environment(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


_HOW_TO_GET = (
    "run 'python -m progressive download lpips', or give the linear layers of LPIPS v0.1 for SqueezeNet (squeeze.pth "
    f"of the package lpips, or the same tensors as .safetensors) by --lpips-weights or {VARIABLE}, or put them beside "
    f"the classifier's as {FILE}"
)


def _read_linear(path: Path) -> tuple[Tensor, ...]:
    data = read_bytes(path, limit=_MAX_BYTES)
    try:
        tensors: Mapping[str, Tensor] = (
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True) if path.suffix == ".pth" else load(data)
        )
        return tuple(
            tensors[f"lin{stage}.model.1.weight"].float().reshape(channels)
            for stage, channels in enumerate((64, 128, 256, 384, 384, 512, 512))
        )
    except _DAMAGED as error:
        raise UsageError(f"the weights {path} are damaged or not of LPIPS on SqueezeNet: {_HOW_TO_GET}") from error
