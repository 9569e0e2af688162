"""Photos as receivers have them: coded, some of it received, turned into linear pictures.

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.training.rmpgc.coded import CodedPhoto, CodedPool, coded
from progressive.training.rmpgc.conditions import BASE, Importance, draw_states


@dataclass(frozen=True, slots=True)
class Received:
    """What receivers have of photos, and the photos.

    Fields:
        photos: RGB in 0..1, [N, 3, 64 R, 64 K].
        linear: the linear pictures, of the same shape.
        states: how much is known of each block, [N, R, K].
    """

    photos: Tensor
    linear: Tensor
    states: Tensor


class Reception:
    """Draws what receivers have.

    Args:
        pool: crops, coded once.
        transform: what makes linear pictures of them.
        importance: what a mask would rank their blocks by.
        device: where batches are wanted.
    """

    def __init__(self, pool: CodedPool, transform: Transform, importance: Importance, device: torch.device) -> None:
        self._pool, self._transform, self._importance, self._device = pool, transform, importance, device

    def draw(self, rng: np.random.Generator, count: int, *, highest: int = LEVELS) -> Received:
        """So many crops under the conditions of `draw_states`."""
        drawn = self._pool.draw(rng, count)
        photos = torch.stack([crop.photo for crop in drawn]).float().to(self._device) / 255
        states = draw_states(photos, self._importance, rng, highest=highest)
        return self._received(drawn, photos, states)

    def watched(self, photos: Sequence[Tensor]) -> list[CodedPhoto]:
        """Photos set aside, RGB in 0..1 [1, 3, 64 R, 64 K], coded as the crops are."""
        bytes_of = [(x[0] * 255).round().to(torch.uint8).cpu() for x in photos]
        return [coded([x], *self._pool.how)[0] for x in bytes_of]

    def at_level(self, photo: CodedPhoto, level: int) -> Received:
        """A whole photo of which all blocks have the base and so many levels."""
        rows, columns = (n // BLOCK for n in photo.photo.shape[1:])
        states = torch.full((1, rows, columns), state_of(0, BASE + level), device=self._device)
        return self._received([photo], photo.photo[None].float().to(self._device) / 255, states)

    @torch.no_grad()
    def _received(self, drawn: list[CodedPhoto], photos: Tensor, states: Tensor) -> Received:
        each = [crop.at(state) for crop, state in zip(drawn, states.cpu(), strict=True)]
        values = [torch.cat(scale).to(self._device) for scale in zip(*each, strict=True)]
        turned = self._transform.synthesise(values)
        linear = torch.cat([crop.colours.restored(y[None]) for crop, y in zip(drawn, turned, strict=True)])
        return Received(photos, linear, states)
