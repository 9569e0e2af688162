"""How a classifier wants its photos: the description lies beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import read_bytes

LONGEST = 3
"""The long side is at most this many short ones; a longer photo is squeezed, so that no photo costs much."""

_MAX_SIDECAR_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From an sRGB photo to the input of a classifier.

    Fields:
        order: of the colour channels.
        scale: of samples in 0..1, applied first.
        mean, std: of each channel in that order; (scale * x - mean) / std is the input.
        side: of the square input the classifier was trained on, pixels.
    """

    order: Literal["RGB", "BGR"] = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    side: int = 224

    def normalise(self, rgb: Tensor) -> Tensor:
        """RGB [N, 3, H, W] in 0..1 to the classifier's input of the same shape."""
        channels = rgb if self.order == "RGB" else rgb.flip(1)
        mean, std = (torch.tensor(v, dtype=rgb.dtype, device=rgb.device)[:, None, None] for v in (self.mean, self.std))
        return (channels * self.scale - mean) / std

    def squares(self, photos: Sequence[Photo]) -> Tensor:
        """Photos of any sizes, each resized to a square whatever its shape: [N, 3, side, side]."""
        return self.normalise(torch.cat([as_rgb(resized(photo, self.side, self.side)) for photo in photos]))

    def whole(self, photo: Photo) -> Tensor:
        """One photo with its short side resized to `side` and its shape kept: [1, 3, h, w]."""
        return self.normalise(as_rgb(resized(photo, *sides_with_short(photo, self.side, LONGEST))))


TORCHVISION = Preprocessing()
CAFFE = Preprocessing("BGR", 255.0, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0), 227)


def sides_with_short(photo: Photo, short: int, longest: float) -> tuple[int, int]:
    """Height and width of a photo's shape at this short side; the long side is at most `longest` short ones."""
    height, width = photo.shape[:2]
    long = round(short * min(max(height, width) / min(height, width), longest))
    return (short, long) if height <= width else (long, short)


def resized(photo: Photo, height: int, width: int) -> Photo:
    """The photo at this size, free of aliasing."""
    if photo.shape[:2] == (height, width):
        return photo
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3))


def as_rgb(photo: Photo) -> Tensor:
    """[H, W, 3], 0..255, to [1, 3, H, W], 0..1."""
    return torch.from_numpy(photo.transpose(2, 0, 1)[None].astype(np.float32)).div_(255)


def describe(weights: Path, metadata: Mapping[str, str]) -> Preprocessing:
    """The preprocessing of a weight file.

    It is the JSON object under `preprocessing` in the file's metadata, or in a file of the same name that ends in
    `.json`, with the fields of `Preprocessing`. Without either, weights with `caffe` in their name are fed as Caffe's
    are, others as torchvision's. Raises UsageError if the description makes no sense.
    """
    sidecar = weights.with_suffix(".json")
    if "preprocessing" in metadata:
        return _parse(metadata["preprocessing"], f"the metadata of {weights}")
    if sidecar.is_file():
        return _parse(read_bytes(sidecar, limit=_MAX_SIDECAR_BYTES), str(sidecar))
    return CAFFE if "caffe" in weights.name.lower() else TORCHVISION


def _parse(text: str | bytes, where: str) -> Preprocessing:
    try:
        fields = json.loads(text)
        order, scale, side = fields["order"], float(fields["scale"]), int(fields["side"])
        mean, std = _triple(fields["mean"]), _triple(fields["std"])
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"cannot read the preprocessing in {where} ({error}): give order, scale, mean, std and side"
        ) from error
    if order not in {"RGB", "BGR"} or not 32 <= side <= 1024 or 0 in std:
        raise UsageError(f"the preprocessing in {where} is none: order RGB or BGR, side 32 to 1024, std not zero")
    return Preprocessing(order, scale, mean, std, side)


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue
