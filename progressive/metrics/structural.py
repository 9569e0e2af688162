"""Metrics of structure: luminance, contrast and correlation in local windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.metrics.pairs import check_pair
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral

MS_SSIM_SHORTEST_SIDE = 161
"""Five scales of an 11-sample window need (11 - 1) * 2**4 + 1 pixels on the short side."""

SSIM_SHORTEST_SIDE = 11
"""One window."""


def ssim(picture: Photo, original: Photo) -> float | None:
    """Structural similarity (Wang et al. 2004) of two [H, W, 3] pictures, mean of R, G, B, -1..1, 1 if they are equal.

    An 11-sample Gaussian window of standard deviation 1.5, wherever it lies wholly inside; as in scikit-image and
    pytorch-msssim. None if the short side is below 11 pixels. Raises UsageError if the shapes differ.
    """
    similarity = ssim_map(picture, original)
    if similarity is None:
        return None
    margin = SSIM_SHORTEST_SIDE // 2
    return float(similarity[margin:-margin, margin:-margin].mean(dtype=np.float64))


def ssim_map(picture: Photo, original: Photo) -> NDArray[np.float64] | None:
    """Structural similarity around each pixel, mean of R, G, B, [H, W]; pixels beyond the edge are mirrored.

    None if the short side is below 11 pixels. Raises UsageError if the shapes differ.
    """
    check_pair(picture, original)
    if min(picture.shape[:2]) < SSIM_SHORTEST_SIDE:
        return None
    channels = (_channel_similarity(picture[..., c], original[..., c]) for c in range(3))  # one at a time: memory
    return sum(channels, np.zeros(picture.shape[:2])) / 3


@neutral()
def ms_ssim(picture: Photo, original: Photo) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) of two [H, W, 3] pictures, mean of R, G, B, 0..1.

    None if the short side is below 161 pixels. Raises UsageError if the shapes differ.
    """
    check_pair(picture, original)
    if min(picture.shape[:2]) < MS_SSIM_SHORTEST_SIDE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as batch_ms_ssim

    def plane(one: Photo, channel: int) -> torch.Tensor:
        return torch.tensor(one[None, None, :, :, channel], dtype=torch.float32)

    with torch.inference_mode(), one_thread():  # a channel at a time takes a third of the memory
        channels = [batch_ms_ssim(plane(picture, c), plane(original, c), data_range=255) for c in range(3)]
        return float(sum(channels)) / 3


def _channel_similarity(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> NDArray[np.float64]:
    from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        picture,
        original,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(similarity)
