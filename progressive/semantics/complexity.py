"""The latent complexity map (LCM): where a photo needs bits to be reconstructed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def latent_complexity(latent: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The LCM of a latent, [C, h, w] -> [h, w], zero or more: the variance across the channels (RMPGC Eq. 9).

    v_ij = 1/C sum_l (z_ij^l - 1/C sum_l z_ij^l)^2
    """
    return np.asarray(np.var(latent, axis=0, dtype=np.float64))


def photo_complexity(photo: Photo, side: int = 8) -> NDArray[np.float64]:
    """An LCM that needs no trained codec, [H, W, 3] -> [ceil(H / side), ceil(W / side)], in squared luma steps.

    The latent is the orthonormal block DCT of the luma without its DC coefficient: what is left has a mean near zero,
    as learned latents have, so the variance measures detail and not brightness.
    """
    luma = _padded_luma(photo, side)
    corners = luma[::side, ::side].repeat(side, axis=0).repeat(side, axis=1)
    latent = block_dct(luma - corners, side)  # the same but for DC, and flat blocks are zero without rounding errors
    return latent_complexity(latent[1:]) if side > 1 else np.zeros(latent.shape[1:])


def block_dct(plane: NDArray[np.floating[Any]], side: int) -> NDArray[np.float64]:
    """Orthonormal DCT-II of square blocks, [h * side, w * side] -> [side**2, h, w], DC first, rows before columns."""
    height, width = plane.shape[0] // side, plane.shape[1] // side
    blocks = plane.reshape(height, side, width, side)
    basis = _dct_basis(side)
    coefficients = np.einsum("ui,hiwj,vj->uvhw", basis, blocks, basis, optimize=True)
    return np.asarray(coefficients.reshape(side * side, height, width))


def _dct_basis(side: int) -> NDArray[np.float64]:
    """Row u is cos(pi (2 j + 1) u / (2 side)), scaled to length one."""
    frequency, position = np.arange(side)[:, None], np.arange(side)[None, :]
    basis = np.cos(math.pi * (2 * position + 1) * frequency / (2 * side)) * math.sqrt(2 / side)
    basis[0] = math.sqrt(1 / side)
    return basis


def _padded_luma(photo: Photo, side: int) -> NDArray[np.float32]:
    """BT.601 luma, 0..255, its last row and column repeated until the sides are multiples."""
    luma = photo @ _LUMA
    height, width = luma.shape
    return np.pad(luma, ((0, -height % side), (0, -width % side)), mode="edge")
