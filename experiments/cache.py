"""Results that are dear to make, kept on disk by what they were made of, for all workers and later runs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.files import write_atomically

Arrays = Mapping[str, NDArray[np.generic]]


def cached(folder: Path, make: Callable[[], Arrays], *key: object) -> Arrays:
    """The arrays that `make` gives, made once for a key of plain values; a damaged file is made anew."""
    path = folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez(content, **made)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())
    return made


def digest_of(photo: Photo) -> str:
    """What stands for a photo in keys."""
    return hashlib.sha256(repr(photo.shape).encode() + np.ascontiguousarray(photo).tobytes()).hexdigest()
