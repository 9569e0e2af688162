"""Structural similarity weighted by what matters: SI-SSIM as the two papers that name it define it.

Both weigh blocks of 8x8 pixels by their semantic level L_i (`progressive.semantics.allocation.semantic_levels`); they
differ in what is similar: the recurrent codec takes the local SSIM around each pixel, the ResNet VAE each block's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics.pairs import check_pair
from progressive.metrics.structural import ssim_map
from progressive.semantics.allocation import BLOCK, Levels, semantic_levels
from progressive.semantics.grids import Map, block_average

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def si_ssim(picture: Photo, original: Photo, importance: Map) -> float | None:
    """SI-SSIM of the recurrent codec (Wang et al. 2019, Eq. 13) of two [H, W, 3] pictures, -1..1, 1 if they are equal.

    sum_i L_i mean_(p in i) SSIM(p): the local SSIM (Eq. 12 there, an 11-sample window as in `ssim`) around the pixels
    of block i. The paper adds the pixels up and then averages; the mean here is that average.

    Args:
        importance: zero or more, [H, W].

    None if the short side is below 11 pixels. Raises UsageError if the shapes differ.
    """
    levels = _levels(picture, original, importance)
    similarity = ssim_map(picture, original)
    return None if similarity is None else float(np.sum(levels * block_average(similarity, BLOCK)))


def blockwise_si_ssim(picture: Photo, original: Photo, importance: Map) -> float:
    """SI-SSIM of the ResNet VAE (Qi et al. 2025, Eq. 20) of two [H, W, 3] pictures, -1..1, 1 if they are equal.

    sum_i L_i SSIM(x_i, y_i): the means, variances and covariance of SSIM are those of the block itself, without a
    window; the mean over R, G, B. Raises UsageError if the shapes differ.

    Args:
        importance: zero or more, [H, W].
    """
    levels = _levels(picture, original, importance)
    channels = [block_ssim(picture[..., c], original[..., c]) for c in range(3)]
    return float(np.sum(levels * sum(channels))) / 3


def block_ssim(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM of each 8x8 block of a channel, smaller at the far edges, [H, W] -> [ceil(H / 8), ceil(W / 8)]."""
    x, y = picture.astype(np.float64), original.astype(np.float64)
    mean_x, mean_y = block_average(x, BLOCK), block_average(y, BLOCK)
    variances = block_average(x * x, BLOCK) - mean_x**2 + block_average(y * y, BLOCK) - mean_y**2
    covariance = block_average(x * y, BLOCK) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return np.asarray(luminance * (2 * covariance + _C2) / (variances + _C2))


def _levels(picture: Photo, original: Photo, importance: Map) -> Levels:
    check_pair(picture, original)
    if importance.shape != original.shape[:2]:
        raise UsageError(f"an importance map of {importance.shape} does not weigh a picture of {original.shape[:2]}")
    return semantic_levels(importance)
