"""The phase of the probability network: codes of the networks as they are, rounded to integers towards the end.

Legend: N crops of a batch; K iterations; B codes a cell; h x w cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.recurrent.context import ContextNetwork, Pass
from progressive.codecs.recurrent.layout import BITS, ITERATIONS
from progressive.training.phase import Loss, Phase
from progressive.training.recurrent.model import Trainee
from progressive.training.recurrent.phases import Walk
from progressive.training.recurrent.photos import PhotoPool
from progressive.training.recurrent.settings import PhaseSettings, Settings

AT_ONCE = 8
"""Crops that are coded together."""

FIRST_SHARE = 0.2
"""Of the steps that learn the first iteration, which has layers of its own."""

WHOLE_SHARE = 0.3
"""Of the groups that are all cells of a crop."""

WATCHED = (1, 2, 3, 4, 8, 16, ITERATIONS)
"""Iterations that the log tells of."""


class Context(Phase[Trainee]):
    """Minimises the bits of codes."""

    own: PhaseSettings

    def __init__(self, model: Trainee, settings: Settings, pool: PhotoPool, held_out: Sequence[Tensor]) -> None:
        super().__init__("context", model, settings.context)
        self.settings, self.pool, self.held_out = settings, pool, held_out

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.context]

    def configure(self, model: Trainee, step: int) -> None:
        rounded = step >= round((1 - self.settings.rounded_share) * self.own.steps)
        model.context.set_rounding("straight-through" if rounded else "none")

    def loss(self, rng: np.random.Generator) -> Loss:
        chosen = self.coded[torch.from_numpy(rng.integers(len(self.coded), size=self.own.batch))]
        iteration = 0 if rng.random() < FIRST_SHARE else 1 + int(rng.integers(ITERATIONS - 1))
        bits = bits_of(self.model.context, chosen, iteration, draw_groups(chosen, rng))
        return Loss(bits, {f"{'later' if iteration else 'first'} bits a code": bits.detach()})

    @cached_property
    def coded(self) -> Tensor:
        """The codes of some crops, int8 [crops, K, B, h, w]."""
        rng = np.random.default_rng(0)
        crops = [
            coded(self.model, self.pool.draw(rng, AT_ONCE, self.own.crop))
            for _ in range(-(-self.settings.coded_crops // AT_ONCE))
        ]
        return torch.cat(crops)[: self.settings.coded_crops]

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        if not self.held_out:
            return ""
        found = []
        for number in WATCHED:
            each = [
                float(bits_of(model.context, codes, number - 1, torch.ones_like(codes[:, 0, :1], dtype=torch.bool)))
                for codes in self._watched
            ]
            found.append(f"{number}: {np.mean(each):.3f}")
        return f"bits a code in iteration {', '.join(found)}"

    @cached_property
    def _watched(self) -> list[Tensor]:
        return [coded(self.model, photo) for photo in self.held_out]


@torch.no_grad()
def coded(model: Trainee, photos: Tensor) -> Tensor:
    """The codes of all iterations of photos about zero, int8 [N, K, B, h, w]."""
    device = next(model.networks.parameters()).device
    walk = Walk(model.networks, photos.to(device)).after(ITERATIONS)
    return torch.stack(walk.codes, 1).to(torch.int8)


def bits_of(network: ContextNetwork, codes: Tensor, iteration: int, group: Tensor) -> Tensor:
    """The mean bits of a code in one iteration of groups, bool [N, 1, h, w], of the codes [N, K, B, h, w]."""
    truth, nats = codes[:, iteration], codes.new_zeros((), dtype=torch.float32)

    def code_pass(each: Pass, odds: Tensor) -> Tensor:
        nonlocal nats
        own = truth[:, each.codes]
        here = group & each.cells(own)
        nats = nats + (F.softplus(-odds.float() * own) * here).sum()
        return own * (group if each.parity else here)

    network.code(iteration, list(codes[:, :iteration].unbind(1)), group, code_pass)
    return nats / math.log(2) / (group.sum() * BITS).clamp(min=1)


def draw_groups(codes: Tensor, rng: np.random.Generator) -> Tensor:
    """Cells as tiers have them, bool [N, 1, h, w]: all, rows that follow each other, or a smooth region."""
    count, (height, width) = len(codes), codes.shape[-2:]
    groups = torch.ones(count, 1, height, width, dtype=torch.bool)
    for n in range(count):
        kind = rng.random() - WHOLE_SHARE
        if kind < 0:
            continue
        field = torch.arange(height * width, dtype=torch.float32).view(1, 1, height, width)
        if kind > (1 - WHOLE_SHARE) / 2:
            coarse = torch.from_numpy(rng.normal(0, 1, (1, 1, 4, 4)).astype(np.float32))
            field = F.interpolate(coarse, (height, width), mode="bilinear")
        low, high = np.sort(rng.random(2))
        edges = torch.quantile(field, torch.tensor([low, high], dtype=torch.float32))
        chosen = (field >= edges[0]) & (field <= edges[1])
        groups[n] = chosen[0]
    return groups.to(codes.device)
