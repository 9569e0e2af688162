"""The classifier that tells what a photo shows: SqueezeNet 1.1 with weights from a path or the cache."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.runtime.torch_state import neutral
from progressive.semantics.downloads import PUBLISHED
from progressive.semantics.preprocessing import Preprocessing, describe
from progressive.semantics.squeezenet import CLASSES, SqueezeNet

VARIABLE = "PROGRESSIVE_CLASSIFIER"
"""Environment variable that names the weight file."""

SYNSETS_FILE = "imagenet_synsets.txt"
"""Beside the weights: a line a class, in order, synset and words."""

_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained network, how it wants its photos, and what its classes are called."""

    network: SqueezeNet
    preprocessing: Preprocessing
    class_names: tuple[str, ...]

    @neutral()
    def probabilities(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Of each class, [N, 1000], for photos of any sizes, each resized to a square."""
        with torch.inference_mode():
            scores: Tensor = self.network(self.preprocessing.squares(photos))
            return scores.softmax(1).numpy()


@neutral()
def load_classifier(weights: Path | None = None) -> Classifier:
    """The classifier with the weights that `find_weights` finds.

    Raises UsageError if they are missing, damaged or another network's.
    """
    path = find_weights(weights)
    tensors, metadata = _read(path)
    network = SqueezeNet()
    _check_names_and_shapes(path, tensors, network.state_dict())
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)  # maps need gradients of activations, never of weights
    return Classifier(network, describe(path, metadata), read_class_names(path.with_name(SYNSETS_FILE)))


def find_weights(weights: Path | None = None) -> Path:
    """The file of weights: the one given, else what PROGRESSIVE_CLASSIFIER names, else what was downloaded on request.

    Raises UsageError if it is nowhere; the message says where it was looked for and how to get it.
    """
    named = weights or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise UsageError(f"no classifier weights at {named}: {_HOW_TO_GET}")
        return named
    cached = PUBLISHED["classifier"].path
    if not cached.is_file():
        raise UsageError(f"no classifier weights at {cached}: {_HOW_TO_GET}")
    return cached


def read_class_names(path: Path) -> tuple[str, ...]:
    """The first words of each class, from lines of synset and words; numbers if there is no such file."""
    if not path.is_file():
        return tuple(f"class {number}" for number in range(CLASSES))
    lines = read_bytes(path, limit=_MAX_BYTES).decode("utf-8", "replace").splitlines()
    if len(lines) != CLASSES:
        raise UsageError(f"{path} names {len(lines)} classes: give one line for each of the {CLASSES}")
    return tuple(line.partition(" ")[2].partition(",")[0] or line for line in lines)


_HOW_TO_GET = (
    "run 'python -m progressive download classifier', or give a SqueezeNet 1.1 with torchvision's parameter names "
    f"(.safetensors or .pth) by --classifier-weights or {VARIABLE}"
)


def _read(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    data = read_bytes(path, limit=_MAX_BYTES)
    try:
        if path.suffix == ".pth":
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            return {str(name): t for name, t in dict(loaded).items() if isinstance(t, Tensor)}, {}
        tensors = load(data)
        with safe_open(path, "pt") as file:
            return tensors, file.metadata() or {}
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, TypeError, EOFError, OSError) as error:
        raise UsageError(f"the classifier weights {path} are damaged or no weights at all: {_HOW_TO_GET}") from error


def _check_names_and_shapes(path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    different = [n for n, t in expected.items() if n not in tensors or tensors[n].shape != t.shape]
    unknown = [n for n in tensors if n not in expected]
    if different or unknown:
        name = (different or unknown)[0]
        raise UsageError(f"the weights {path} are not SqueezeNet 1.1's ({name} differs): {_HOW_TO_GET}")
