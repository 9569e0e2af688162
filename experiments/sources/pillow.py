"""What the formats that Pillow codes have in common."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, features

from progressive.codec import Photo
from progressive.errors import UsageError


def encode(photo: Photo, file_format: str, settings: dict[str, object]) -> bytes:
    """The photo as a file."""
    content = io.BytesIO()
    Image.fromarray(photo).save(content, file_format, **settings)
    return content.getvalue()


def decode(data: bytes) -> Photo:
    """The picture of a whole file, [H, W, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def decode_if_accepted(data: bytes) -> Photo | None:
    """The picture that the decoder makes of what may be the beginning of a file; None if it refuses."""
    try:
        return decode(data)
    except (OSError, SyntaxError, ValueError, EOFError):
        return None


def check_feature(name: str, feature: str) -> None:
    """Raises UsageError if this Pillow lacks a format."""
    if not features.check(feature):
        raise UsageError(f"this Pillow was built without {name}: install the wheel from PyPI")


def version_of(feature: str) -> str:
    return f"{features.version(feature)}"
