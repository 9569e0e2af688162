"""What is finished is kept: a file for each result, under a key of all that decides it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.photo_names import load_photo
from progressive.files import write_atomically


class Store:
    """A folder of results, each plain JSON, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Any | None:
        """What was put under a key; None if nothing was, or if its file is damaged."""
        try:
            return json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Raises UsageError or RunError if it cannot be written."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(value, allow_nan=False).encode())

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def key_of(*parts: Any) -> str:
    """A key of plain values and dataclasses of them: equal for equal parts, else another."""
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@lru_cache(maxsize=4096)
def photo_digest(name: str) -> str:
    """Of a photo's samples: whatever its file is called."""
    photo = load_photo(name)
    return hashlib.sha256(str(photo.shape).encode() + np.ascontiguousarray(photo).tobytes()).hexdigest()[:40]


def _plain(part: Any) -> Any:
    """A dataclass as a map; whatever else is not plain is a mistake of ours."""
    if is_dataclass(part) and not isinstance(part, type):
        return asdict(part)
    raise TypeError(f"{part!r} cannot be part of a key")
