"""The probabilities of the latent in exact integers: one model for the base, one for the enhance layer.

Each has a hyperprior with a position a block (RMPGC section V-H: two independent entropy models, no autoregressive
context). The base of a tile is given its hyperprior, the enhance layer of a block its own and the block's base. Both
go group by group of channels, each of which sees the ones before.

All layers are exact (`progressive.exact.layers`); inputs and outputs are integers there, multiples of `UNIT` in
training. Outputs are parameters (mean, logarithm to base two of the scale) of distributions over indices.

Legend: N tiles; B blocks; W features; C channels; R x K blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import (
    BASE,
    BASE_GROUPS,
    GROUPS,
    HYPER_CHANNELS,
    SIDE,
    size,
)
from progressive.exact.inputs import TRAINING, activations, in_order, joined, signed_sizes
from progressive.exact.laplace import STEPS
from progressive.exact.layers import Conv, Residual, layers_of

HYPER_UNIT = 36
"""What one step of a hyperprior is as an input."""

WIDTH, SEEN = 64, 32
SPREAD = 32
"""Channels of the hyperprior's features at each cell."""

PARAMETERS = 2


class Exact(nn.Module, ABC):
    """What both models have in common: groups of channels, each of which sees the ones before."""

    out: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        self.kernel = TRAINING

    def parameters_of(self, group: int, features: Tensor) -> Tensor:
        """Parameters of a group of which these are the features, [N, 2, C, h, w]."""
        return torch.unflatten(self.out[group](features), 1, (PARAMETERS, -1))

    @abstractmethod
    def following(self, group: int, features: Tensor, indices: Tensor) -> Tensor:
        """Features for the next group, given the indices of this one."""

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def use(self, kernel: str) -> None:
        """Chooses how a frozen network computes (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        for _, layer in layers_of(self):
            layer.use(kernel)

    def _hyper(self, hyper: Tensor) -> Tensor:
        signed = torch.cat([hyper.clamp(min=0), (-hyper).clamp(min=0)], 1) * HYPER_UNIT
        return activations(signed, self.kernel)

    def _indices(self, indices: Tensor) -> Tensor:
        return activations(signed_sizes(indices), self.kernel)


class BasePrior(Exact):
    """The base of a tile.

    z ─ around ─ spread ─ enter ─ body ─ group ─ see ─ body ─ group ─ ...
    """

    def __init__(self) -> None:
        super().__init__()
        self.around = Conv(2 * HYPER_CHANNELS, WIDTH, 3)
        self.spread = Conv(WIDTH, SPREAD * SIDE**2)
        self.enter = Conv(SPREAD, WIDTH, 3)
        self.bodies = nn.ModuleList([Residual(WIDTH) for _ in BASE_GROUPS])
        self.out = nn.ModuleList([_output(size(group)) for group in BASE_GROUPS])
        self.see = nn.ModuleList([Conv(2 * size(group), SEEN, 3) for group in BASE_GROUPS[:-1]])
        self.mix = nn.ModuleList([Conv(WIDTH + SEEN, WIDTH) for _ in BASE_GROUPS[:-1]])

    def features(self, hyper: Tensor) -> Tensor:
        """The hyperprior, -7..7 [N, 8, R, K] -> [N, W, 4 R, 4 K]; in training with gradients."""
        spread = in_order(F.pixel_shuffle(self.spread(self.around(self._hyper(hyper))), SIDE))
        found: Tensor = self.bodies[0](self.enter(spread))
        return found

    def following(self, group: int, features: Tensor, indices: Tensor) -> Tensor:
        """Features for the next group given the indices of this one, [N, W, 4 R, 4 K]."""
        seen = self.see[group](self._indices(indices))
        found: Tensor = self.bodies[group + 1](self.mix[group](joined([features, seen])))
        return found


class EnhancePrior(Exact):
    """The enhance layer of a block.

    z ─ spread ─╮
    base ───────┴─ enter ─ body ─ group ─ leave ─ body ─ group ─ ...
    """

    def __init__(self) -> None:
        super().__init__()
        self.spread = Conv(2 * HYPER_CHANNELS, SPREAD * SIDE**2)
        self.enter = Conv(SPREAD + 2 * BASE, WIDTH, 3)
        self.bodies = nn.ModuleList([Residual(WIDTH) for _ in GROUPS])
        self.out = nn.ModuleList([_output(size(group)) for group in GROUPS])
        self.leave = nn.ModuleList([Conv(WIDTH + 2 * size(group), WIDTH) for group in GROUPS[:-1]])

    def features(self, hyper: Tensor, base: Tensor) -> Tensor:
        """The hyperprior [B, 8, 1, 1] and the base's indices [B, BASE, 4, 4] -> [B, W, 4, 4]."""
        spread = F.pixel_shuffle(self.spread(self._hyper(hyper)), SIDE)
        found: Tensor = self.bodies[0](self.enter(joined([spread, self._indices(base)])))
        return found

    def following(self, group: int, features: Tensor, indices: Tensor) -> Tensor:
        """Features for the next group given the indices of this one, [B, W, 4, 4]."""
        found: Tensor = self.bodies[group + 1](self.leave[group](joined([features, self._indices(indices)])))
        return found


class Priors(nn.Module):
    """All that computes in exact integers. Fields: the models of base and enhance layer."""

    def __init__(self) -> None:
        super().__init__()
        self.base = BasePrior()
        self.enhance = EnhancePrior()

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        self.base.set_rounding(rounding)
        self.enhance.set_rounding(rounding)

    def use(self, kernel: str) -> None:
        """Chooses how frozen networks compute (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.base.use(kernel)
        self.enhance.use(kernel)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def _output(channels: int) -> Conv:
    layer = Conv(WIDTH, PARAMETERS * channels, scale=STEPS, activation=False)
    with torch.no_grad():
        layer.weight.mul_(0.3)
    return layer
