"""What is known of a photo's latents: the same arrays while encoding, decoding, and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder.layout import (
    BASE_STEP,
    MAX_LATENT,
    OUTPUTS,
    PLANE_STEPS,
    Layout,
    Window,
    step_after,
)
from progressive.codecs.dual_autoencoder.model import Autoencoders, Floats

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

G1_RANGE = 32
"""Base bins of G1 run from -32 to 31."""


@dataclass
class Component:
    """Quantised latents of one component, [h, w, ...]; slices of it are views, so a tile is worked on in place.

    Fields:
        base: G1's bin of BASE_STEP.
        known: whether `base` has been decoded, or else is interpolated.
        level: planes decoded so far; 0 means the base alone.
        calm: G1's bin at the step of the block's level.
        expert: index of the G2 expert, or -1 while the block is calm.
        detail: [h, w, O], signed bins of G2's outputs at the step of the block's level.
    """

    base: Ints
    known: Bools
    level: Ints
    calm: Ints
    expert: Ints
    detail: Ints

    @classmethod
    def empty(cls, rows: int, columns: int) -> Component:
        shape = (rows, columns)
        return cls(
            np.zeros(shape, np.int32),
            np.zeros(shape, bool),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
            np.full(shape, -1, np.int32),
            np.zeros((*shape, OUTPUTS), np.int32),
        )

    def view(self, rows: slice, columns: slice) -> Component:
        where = (rows, columns)
        return Component(
            self.base[where],
            self.known[where],
            self.level[where],
            self.calm[where],
            self.expert[where],
            self.detail[where],
        )

    def assign(self, other: Component) -> None:
        """Takes over the values of a component of the same shape."""
        for name in ("base", "known", "level", "calm", "expert", "detail"):
            getattr(self, name)[...] = getattr(other, name)

    def calm_values(self) -> Floats:
        """G1's outputs, at the centres of the bins reached, [h, w]."""
        steps = np.array([step_after(level) for level in range(len(PLANE_STEPS) + 1)], np.float32)
        values: Floats = (self.calm.astype(np.float32) + np.float32(0.5)) * steps[self.level]
        return values

    def detail_values(self, autoencoders: Autoencoders) -> Floats:
        """G2's outputs, at the mean of the bins reached, [h, w, O]."""
        steps = np.array((0, *PLANE_STEPS), np.float32)
        centroids = np.concatenate([np.zeros((1, 2), np.float32), autoencoders.centroids])
        bins = self.detail.astype(np.float32)
        magnitude = np.abs(bins)
        offset = np.where(magnitude > 1, centroids[self.level, 1][..., None], centroids[self.level, 0][..., None])
        values: Floats = np.sign(bins) * (magnitude + offset) * steps[self.level][..., None]
        return values


def empty_state(layout: Layout) -> list[Component]:
    divisors = (1, 2, 2)[: layout.components]
    return [Component.empty(layout.rows // d, layout.columns // d) for d in divisors]


def tile_of(state: list[Component], window: Window) -> list[Component]:
    """The components of a tile, as views."""
    return [component.view(*window.slices(chroma=index > 0)) for index, component in enumerate(state)]


@dataclass
class Target:
    """The true latents of one component, from which an encoder takes the symbols of every plane.

    Fields:
        calm: G1's outputs, [h, w].
        expert: the expert that suits each block best, [h, w].
        detail: that expert's outputs, [h, w, O].
    """

    calm: Floats
    expert: Ints
    detail: Floats

    def view(self, rows: slice, columns: slice) -> Target:
        return Target(self.calm[rows, columns], self.expert[rows, columns], self.detail[rows, columns])

    def base_bins(self) -> Ints:
        bins: Ints = np.clip(np.floor(self.calm / BASE_STEP), -G1_RANGE, G1_RANGE - 1).astype(np.int32)
        return bins

    def calm_bins(self, plane: int) -> Ints:
        """G1's bins at this plane; clipped so that they lie in the base's."""
        base, ratio = self.base_bins(), BASE_STEP // step_after(plane + 1)
        bins = np.floor(self.calm / step_after(plane + 1)).astype(np.int32)
        return np.clip(bins, base * ratio, base * ratio + ratio - 1)

    def detail_bins(self, plane: int) -> Ints:
        """Signed bins of G2's outputs at this plane, [h, w, O]; zero is a dead zone of twice the step."""
        magnitude = np.floor(np.minimum(np.abs(self.detail), MAX_LATENT - 1) / PLANE_STEPS[plane])
        bins: Ints = (np.sign(self.detail) * magnitude).astype(np.int32)
        return bins
