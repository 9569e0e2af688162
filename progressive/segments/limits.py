"""What every codec checks alike before it starts."""

from __future__ import annotations

from progressive.codec import Photo
from progressive.errors import BitstreamError, UsageError
from progressive.stream import MAX_PIXELS, MAX_SIDE, StreamHeader


def check_size(photo: Photo) -> None:
    """Raises UsageError for a photo [H, W, 3] without pixels or with more than a stream may have."""
    height, width = photo.shape[:2]
    if not (height and width) or height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise UsageError(
            f"cannot encode {width}x{height} pixels: at least 1x1, at most {MAX_PIXELS // 10**6} megapixels "
            f"and {MAX_SIDE} on a side"
        )


def check_payload(codec: str, max_payload: int, smallest: int) -> None:
    """Raises UsageError if the segments of a codec do not fit payloads of this many bytes."""
    if max_payload < smallest:
        raise UsageError(
            f"{codec} needs {smallest} bytes a segment, {max_payload} were given: "
            f"use larger packets, by {smallest - max_payload} bytes or more"
        )


def check_model(codec: str, header: StreamHeader, installed: bytes) -> None:
    """Raises BitstreamError if a stream was made by another model than the one that is installed, by its id."""
    if header.model_id != installed:
        raise BitstreamError(
            f"the stream needs model {header.model_id.hex()} of {codec}, but model {installed.hex()} is "
            "installed: give its weights by --weights FILE, or name their folder in PROGRESSIVE_WEIGHTS"
        )
