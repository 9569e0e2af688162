"""The smoothing filter's training: the only part that takes gradient steps.

Legend: N samples; P pixels of a block; h x w blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour
from progressive.codecs.dual_autoencoder.analysis import analyse
from progressive.codecs.dual_autoencoder.layout import PLANES
from progressive.codecs.dual_autoencoder.model import Autoencoders, Model, to_blocks
from progressive.codecs.dual_autoencoder.smoothing import SmoothingFilter
from progressive.codecs.dual_autoencoder.state import Component, Target
from progressive.codecs.dual_autoencoder.synthesis import linear_synthesis
from progressive.training.dual_autoencoder.linear import Tensors, layout_of
from progressive.training.dual_autoencoder.settings import PhaseSettings
from progressive.training.phase import Loss, Phase

Sample = tuple[NDArray[np.float16], Target]
"""The luma of a photo in blocks, [h, w, P], and its latents."""


class Trainee(nn.Module):
    """The filter, and the tensors that are found without gradients, which its state holds too."""

    def __init__(self, tensors: Tensors | None = None) -> None:
        super().__init__()
        self.filter = SmoothingFilter()
        self.tensors = tensors or {}

    def get_extra_state(self) -> dict[str, Tensor]:
        """What torch puts into the state besides the filter."""
        return {name: torch.from_numpy(np.ascontiguousarray(t)) for name, t in self.tensors.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Takes it from there."""
        self.tensors = {name: t.cpu().numpy() for name, t in state.items()}


class Filtering(Phase[Trainee]):
    """Minimises the filter's error relative to that of the linear synthesis, so that every level counts alike."""

    own: PhaseSettings

    def __init__(self, model: Trainee, own: PhaseSettings, photos: Sequence[Photo], held_out: Sequence[Photo]) -> None:
        super().__init__("filter", model, own)
        codec = Model(model.tensors)
        self._autoencoders = codec.autoencoders["luma"]
        self._samples = [_luma(photo, codec) for photo in photos]
        self._held_out = [_luma(photo, codec) for photo in held_out]

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.filter]

    def loss(self, rng: np.random.Generator) -> Loss:
        shares = self._left(self.model, _draw(self._samples, self._autoencoders, self.own, rng))
        total = shares.mean()
        return Loss(total, {"better dB": -10 * torch.log10(total.detach())})

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        gains = []
        for level in range(PLANES + 1) if self._held_out else ():
            left = [self._left(model, self._whole(sample, level)).item() for sample in self._held_out]
            gains.append(f"{-10 * math.log10(float(np.mean(left))):.3f}")
        return f"dB better than without {' '.join(gains)}" if gains else ""

    def _left(self, model: Trainee, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """The share of each sample's squared error that the filter leaves, [N]."""
        device = next(model.parameters()).device
        clean, blurred, level, detailed = (part.to(device) for part in batch)
        error = ((model.filter(blurred, level, detailed) - clean) ** 2).mean((1, 2, 3))
        before = ((blurred - clean) ** 2).mean((1, 2, 3))
        left: Tensor = error / (before + 1)
        return left

    def _whole(self, sample: Sample, level: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A photo of which every block has reached one level."""
        blocks, target = sample
        component = quantised(target, np.full(blocks.shape[:2], level, np.int32))
        blurred = linear_synthesis(component, self._autoencoders, chroma=False)
        return _as_tensors([blocks.astype(np.float32)], [blurred], [component.level], [component.expert >= 0])


def _luma(photo: Photo, model: Model) -> Sample:
    plane = colour.to_planes(photo, layout_of(photo))[0]
    return to_blocks(plane).astype(np.float16), analyse(photo, layout_of(photo), model)[0]


def _draw(
    samples: Sequence[Sample], autoencoders: Autoencoders, own: PhaseSettings, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch of crops at random levels: as a stream is received, most regions at one level and some a step behind."""
    clean, blurred, levels, detailed = [], [], [], []
    for _ in range(own.batch):
        blocks, target = samples[int(rng.integers(len(samples)))]
        i, j = (rng.integers(n - own.crop + 1) for n in blocks.shape[:2])
        rows, columns = slice(i, i + own.crop), slice(j, j + own.crop)
        highest = rng.integers(PLANES + 1)
        behind = rng.random((own.crop // 8 + 1, own.crop // 8 + 1)) < rng.choice((0, 0.3, 0.7))
        level = highest - behind.repeat(8, 0).repeat(8, 1)[: own.crop, : own.crop] * (highest > 0)
        component = quantised(target.view(rows, columns), level.astype(np.int32))
        clean.append(blocks[rows, columns].astype(np.float32))
        blurred.append(linear_synthesis(component, autoencoders, chroma=False))
        levels.append(component.level)
        detailed.append(component.expert >= 0)
    return _as_tensors(clean, blurred, levels, detailed)


def _as_tensors(*parts: Sequence[NDArray[np.generic]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Blocks before and after, [N, P, h, w]; levels and which blocks are detailed, [N, h, w]."""
    before, after, level, turned = (torch.from_numpy(np.stack(part)) for part in parts)
    return before.permute(0, 3, 1, 2), after.permute(0, 3, 1, 2), level, turned


def quantised(target: Target, level: NDArray[np.int32]) -> Component:
    """The latents that a decoder has when each block has reached this level, [h, w]."""
    component = Component.empty(*level.shape)
    component.base[:], component.known[:], component.level[:] = target.base_bins(), True, level
    component.calm[:] = component.base
    for plane in range(PLANES):
        reached = level == plane + 1
        component.calm[reached] = target.calm_bins(plane)[reached]
        component.detail[reached] = target.detail_bins(plane)[reached]
    detailed = component.detail.any(-1)
    component.expert[detailed] = target.expert[detailed]
    return component
