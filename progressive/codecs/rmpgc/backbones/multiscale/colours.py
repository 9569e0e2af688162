"""The colours of a photo: its RGB turned so that most of its detail lies along the codec's luma, least in one colour.

The codec's opponent colours suit photos on the whole; one of red flowers, or of the sea, is better served by axes of
its own (the Karhunen-Loève transform of its colours). As all axes stay orthonormal, a squared error counts the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.errors import BitstreamError
from progressive.transforms.wavelet import COLOURS

SIZE = 3
"""Bytes that colours take in a stream's header."""

UNITS = 127
"""Of a part of a unit quaternion."""

SIDES = (4, 8)
"""The detail that colours are measured on: what pixels averaged over squares of these sides differ by."""

SQUARE = 2 * SIDES[-1]
MAX_SAMPLED = 10**6
"""Large photos are sampled: in squares as wide as the coarsest detail, so many pixels."""

USUAL = np.diag([0.9, 0.06, 0.04])
USUAL_SHARE = 0.2
"""Share of the detail of photos on the whole in the measured one: those with little colour keep the usual axes."""


@dataclass(frozen=True, slots=True)
class Colours:
    """A turn of the RGB cube about mid-grey.

    Fields:
        turn: the vector of its unit quaternion, whose scalar is not negative, in parts of `UNITS`, -128..127 each.
    """

    turn: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of(cls, photo: Photo) -> Colours:
        """The best ones for a photo, [H, W, 3]."""
        to_opponent = COLOURS.double().numpy()
        detail = to_opponent @ _covariance_of_detail(photo) @ to_opponent.T
        if not detail.trace():
            return cls()
        mixed = (1 - USUAL_SHARE) * detail / detail.trace() + USUAL_SHARE * USUAL
        axes = np.linalg.eigh(mixed).eigenvectors.T[::-1].copy()
        for i in (0, 1):
            axes[i] *= np.copysign(1, axes[i, i])
        axes[2] *= np.linalg.det(axes)
        red, green, blue = np.rint(UNITS * _vector_of(to_opponent.T @ axes @ to_opponent)).astype(int).tolist()
        return cls((red, green, blue))

    @classmethod
    def from_bytes(cls, data: bytes) -> Colours:
        """Raises BitstreamError unless these are `SIZE` bytes."""
        if len(data) != SIZE:
            raise BitstreamError(f"colours take {SIZE} bytes, here are {len(data)}")
        red, green, blue = np.frombuffer(data, np.int8).tolist()
        return cls((red, green, blue))

    def to_bytes(self) -> bytes:
        return np.array(self.turn, np.int8).tobytes()

    def turned(self, rgb: Tensor) -> Tensor:
        """RGB in 0..1, [N, 3, H, W] -> what the codec's transform is given."""
        return self._apply(self._matrix, rgb)

    def restored(self, turned: Tensor) -> Tensor:
        """The inverse of `turned`."""
        return self._apply(self._matrix.T, turned)

    @property
    def _matrix(self) -> NDArray[np.float64]:
        vector = np.array(self.turn) / UNITS
        vector /= max(1.0, math.hypot(*vector))
        scalar = math.sqrt(max(0.0, 1 - float(vector @ vector)))
        across = np.cross(np.eye(3), vector)
        matrix: NDArray[np.float64] = np.eye(3) + 2 * (scalar * across + across @ across)
        return matrix

    def _apply(self, matrix: NDArray[np.float64], rgb: Tensor) -> Tensor:
        if not any(self.turn):
            return rgb
        return torch.einsum("ij,njhw->nihw", torch.from_numpy(matrix.copy()).to(rgb), rgb - 0.5) + 0.5


def _vector_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector of a rotation's unit quaternion, [3]."""
    scalar = math.sqrt(max(1 + float(rotation.trace()), 1e-6)) / 2
    (_, xy, xz), (yx, _, yz), (zx, zy, _) = rotation
    return np.asarray(np.clip([zy - yz, xz - zx, yx - xy] / np.array(4 * scalar), -1, 1))


def _covariance_of_detail(photo: Photo) -> NDArray[np.float64]:
    """Of the photo's red, green and blue, [3, 3]; zero for one that is too small to tell."""
    covariance = np.zeros((3, 3))
    means = _averaged(_sample(photo), SIDES[0])
    for side in SIDES:
        coarser = _averaged(means, 2)
        height, width = 2 * coarser.shape[0], 2 * coarser.shape[1]
        detail = (means[:height, :width] - coarser.repeat(2, 0).repeat(2, 1)).reshape(-1, 3)
        covariance += side**2 * detail.T @ detail
        means = coarser
    return covariance


def _sample(photo: Photo) -> Photo:
    """Squares of `SQUARE` from all over the photo, about `MAX_SAMPLED` pixels at most."""
    apart = max(1, round((photo.shape[0] * photo.shape[1] / MAX_SAMPLED) ** 0.5))
    rows, columns = (np.arange(n) // SQUARE % apart == 0 for n in photo.shape[:2])
    sample: Photo = photo[rows][:, columns]
    return sample


def _averaged(photo: NDArray[np.generic], side: int) -> NDArray[np.float64]:
    """Means over squares of this side, as many as there are whole ones."""
    rows, columns = photo.shape[0] // side, photo.shape[1] // side
    squares = photo[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    means: NDArray[np.float64] = squares.mean((1, 3), dtype=np.float64)
    return means
