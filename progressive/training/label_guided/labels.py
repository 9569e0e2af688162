"""Label maps beside photos: where they lie, and which of our classes their numbers are.

A folder `DIR` of photos has the maps of its classes in `DIR_labels`, PNGs of the photos' names and sizes whose values
are those of CamVid with eleven classes and void (Brostow et al. 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from progressive.codecs.label_guided.classes import CLASSES, OTHER
from progressive.errors import UsageError

CAMVID = (
    *("sky", "building", "other", "road", "pavement", "tree"),
    *("other", "other", "car", "person", "person", "void"),
)
"""Ours of sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist, void."""

VOID = 255
"""In a map of our classes: nothing is known, and nothing is learned from it."""

NUMBERS = np.array([VOID if name == "void" else CLASSES.index(name) for name in CAMVID], np.uint8)

Map = NDArray[np.uint8]
"""Our class of each pixel, or VOID, [H, W]."""


def maps_of(photos: Sequence[Path]) -> list[Map]:
    """The maps of some photos; raises UsageError if one is missing or of another kind."""
    return [read_map(label_file(photo)) for photo in photos]


def label_file(photo: Path) -> Path:
    """Where the map of a photo is; raises UsageError if it is not there."""
    folder = photo.parent.with_name(f"{photo.parent.name}_labels")
    file = folder / f"{photo.stem}.png"
    if not file.is_file():
        raise UsageError(f"no label map {file}: photos in DIR need maps of CamVid's classes in DIR_labels")
    return file


def read_map(file: Path) -> Map:
    """A map in our classes; raises UsageError for one that is none of CamVid's."""
    values = read_values(file)
    return NUMBERS[values]


def read_values(file: Path) -> Map:
    """A map in CamVid's own numbers, 0..11, [H, W]; raises UsageError for any other picture."""
    with Image.open(file) as image:
        values = np.asarray(image)
    if values.dtype != np.uint8 or values.ndim != 2 or values.max(initial=0) >= len(CAMVID):
        raise UsageError(f"{file} is no label map: its pixels must be numbers from 0 to {len(CAMVID) - 1}")
    return values


def without_void(classes: Map) -> NDArray[np.int8]:
    """A map in which what is not known is something else."""
    return np.where(classes == VOID, OTHER, classes).astype(np.int8)
