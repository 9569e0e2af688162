"""What a caller may hand over as a photo: converted where it can only mean one thing, refused otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError

_USE = "use uint8 [H, W, 3], sRGB"


def as_photo(value: object) -> Photo:
    """The value as uint8 [H, W, 3].

    Taken are, beside that: a picture of Pillow; arrays, and tensors on any device, that are grey [H, W], [H, W, 1] or
    [1, H, W], colour [3, H, W], or have alpha, [H, W, 4] or [4, H, W], which is laid over white; of uint8, of bool, of
    uint16 up to 65535, or of floats from 0 to 1. Raises UsageError for the rest: it could mean two things, or nothing.
    """
    if isinstance(value, Image.Image):
        from progressive.photos.images import to_photo

        try:
            return to_photo(value)
        except (ValueError, OSError) as error:
            raise UsageError(f"this picture cannot be taken for a photo ({error}): {_USE}") from error
    samples = _eight_bits(_rows_first(_array(value)))
    channels = samples.shape[2]
    if channels == 1:
        samples = np.repeat(samples, 3, axis=2)
    elif channels == 4:
        alpha = samples[..., 3:].astype(np.uint16)
        over_white = (samples[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        samples = over_white.astype(np.uint8)
    return np.ascontiguousarray(samples)


def _array(value: Any) -> NDArray[Any]:
    if all(hasattr(value, name) for name in ("detach", "cpu", "numpy")):
        value = value.detach().cpu()
        value = (value.double() if value.is_floating_point() else value).numpy()  # NumPy has no bfloat16
    if not isinstance(value, np.ndarray):
        raise UsageError(f"a {type(value).__name__} cannot be taken for a photo: {_USE}")
    if isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise UsageError(f"a photo with masked pixels says nothing of them: fill them first, {_USE}")
    return np.asarray(value)


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Samples of 0..255; raises UsageError where it is not clear what stands for white."""
    if array.dtype == np.uint8 or not array.size:
        return array.astype(np.uint8, copy=False)
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise UsageError(f"a photo of {array.dtype} has values from 0 to 1, here are others: {_USE}")
        return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    if (array.dtype.kind, array.dtype.itemsize) == ("u", 2):
        if array.max() <= 255:
            raise UsageError(f"a photo of uint16 with no value above 255 may have 8 bits or 16: {_USE}")
        return ((array.astype(np.uint32) * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)
    raise UsageError(f"of a photo of {array.dtype} nobody knows what is white: {_USE}")


def _rows_first(samples: NDArray[Any]) -> NDArray[Any]:
    """[H, W, channels] with 1, 3 or 4 channels; channels come last unless they can only come first."""
    if samples.ndim == 2:
        return samples[..., None]
    if samples.ndim == 3 and samples.shape[2] in {1, 3, 4}:
        return samples
    if samples.ndim == 3 and samples.shape[0] in {1, 3, 4} and samples.shape[2] > 4:
        return np.moveaxis(samples, 0, -1)
    raise UsageError(f"an array of shape {list(samples.shape)} cannot be taken for a photo: {_USE}")
