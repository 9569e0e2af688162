"""The probabilities of the latent in exact integers: one model for the base, one for the enhance layer.

Each has a hyperprior with a position a block (RMPGC section V-H: two independent entropy models, no autoregressive
context). The base's first channels are given its hyperprior alone, its others those as well. The enhance layer of a
block is given its hyperprior and the block's base, and goes group by group, each of which sees the ones before.

All layers are exact (`progressive.exact.layers`); inputs and outputs are integers there, multiples of `UNIT` in
training. Outputs are parameters (mean, logarithm to base two of the scale) of distributions over indices.

Legend: N tiles; B blocks; W features; C channels; R x K blocks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import (
    BASE,
    FIRST,
    GROUPS,
    HYPER_CHANNELS,
    OTHERS,
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


class Exact(nn.Module):
    """What both models have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = TRAINING

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

    z ─ around ─ spread ─ enter ─ body ─┬─> first channels
                                        ╰─ mix ─ body ─> others
    """

    def __init__(self) -> None:
        super().__init__()
        self.around = Conv(2 * HYPER_CHANNELS, WIDTH, 3)
        self.spread = Conv(WIDTH, SPREAD * SIDE**2)
        self.enter = Conv(SPREAD, WIDTH, 3)
        self.body = Residual(WIDTH)
        self.first_out = _output(FIRST)
        self.see = Conv(2 * FIRST, SEEN, 3)
        self.mix = Conv(WIDTH + SEEN, WIDTH)
        self.others_body = Residual(WIDTH)
        self.others_out = _output(OTHERS)

    def features(self, hyper: Tensor) -> Tensor:
        """The hyperprior, -7..7 [N, 8, R, K] -> [N, W, 4 R, 4 K]; in training with gradients."""
        spread = in_order(F.pixel_shuffle(self.spread(self.around(self._hyper(hyper))), SIDE))
        found: Tensor = self.body(self.enter(spread))
        return found

    def first(self, features: Tensor) -> Tensor:
        """Parameters of the first channels, [N, 2, FIRST, 4 R, 4 K]."""
        return torch.unflatten(self.first_out(features), 1, (PARAMETERS, FIRST))

    def others(self, features: Tensor, first: Tensor) -> Tensor:
        """Parameters of the other channels given the indices of the first, [N, 2, OTHERS, 4 R, 4 K]."""
        seen = self.see(self._indices(first))
        known = self.others_body(self.mix(joined([features, seen])))
        return torch.unflatten(self.others_out(known), 1, (PARAMETERS, OTHERS))


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
        self.out = nn.ModuleList([_output(size(group)) for group in range(len(GROUPS))])
        self.leave = nn.ModuleList([Conv(WIDTH + 2 * size(group), WIDTH) for group in range(len(GROUPS) - 1)])

    def features(self, hyper: Tensor, base: Tensor) -> Tensor:
        """The hyperprior [B, 8, 1, 1] and the base's indices [B, BASE, 4, 4] -> [B, W, 4, 4]."""
        spread = F.pixel_shuffle(self.spread(self._hyper(hyper)), SIDE)
        found: Tensor = self.bodies[0](self.enter(joined([spread, self._indices(base)])))
        return found

    def group(self, group: int, features: Tensor) -> Tensor:
        """Parameters of a group, [B, 2, C, 4, 4]."""
        return torch.unflatten(self.out[group](features), 1, (PARAMETERS, size(group)))

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
