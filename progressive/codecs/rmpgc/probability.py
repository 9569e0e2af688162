"""Probability networks: what has been decoded says how likely each next symbol is.

The **chain** walks the base from the coarsest scale to the finest; each scale sees the ones before. When a tile's base
is there, **context** features are drawn from all of it. From then on each block is alone: a **plane** network sees the
context at the block, the block's indices so far, and the plane's coarser scales. Within a scale symbols are coded in
three passes: luma on one colour of a checkerboard, luma on the other, then both opponent colours.

All layers are exact (`layers`); inputs and outputs are integers there, multiples of `UNIT` in training.

Legend: N photos, tiles or blocks; C coefficients a position; h x w positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.layers import MAX_ACTIVATION, UNIT, Depthwise, Mix, Pointwise, layers_of
from progressive.codecs.rmpgc.layout import CHANNELS, CHROMA, LUMA, SCALES
from progressive.codecs.rmpgc.quantiser import SPLITS

CHAIN_WIDTHS = (32, 48, 64, 64, 48)
PLANE_WIDTHS = (48, 32, 32, 32)
CARRIED = 16
"""Channels that a plane hands from one scale to the next."""

MEAN_STEPS = SCALE_STEPS = 8
"""Base: indices a bin width of the mean, and a factor e of the scale."""

ODDS_STEPS = 4
"""Planes: indices a nat of log-odds."""

_SIGNED_GAIN = (7.0, 16.0, 32.0, 64.0, 64.0)
"""How many integers an index of the base stands for in the signed input of each scale."""

_SIZES = torch.tensor([min(round(64 * math.log2(1 + n)), MAX_ACTIVATION) for n in range(16)]).float()
"""A logarithm of an index's size, as the networks see it."""

PassCoder = Callable[[int, Tensor], Tensor]
"""Codes one pass: (its number, parameters [N, P, C, h, w]) -> its symbols [N, C, h, w], zero elsewhere."""


class Passes(nn.Module):
    """The three passes over a scale: parameters from the features and from the symbols of the passes before.

    Args:
        width: channels of the features.
        scale: number of the scale.
        parameters: outputs a coefficient: 2 in the base, 3 in a plane of halves, 4 in one of thirds.
        hidden: channels inside the second and third pass.
        steps: output integers a unit of each parameter.
    """

    def __init__(self, width: int, scale: int, parameters: int, hidden: int, steps: int) -> None:
        super().__init__()
        luma, chroma = LUMA[scale], CHROMA[scale]
        self.parameters_each = parameters
        self.first = Pointwise(width, parameters * luma, scale=steps, activation=False)
        self.second = _context(width + 2 * luma, hidden, parameters * luma, steps)
        self.third = _context(width + 2 * luma, hidden, parameters * chroma, steps)

    def forward(self, features: Tensor, code: PassCoder, describe: Callable[[Tensor], Tensor]) -> Tensor:
        """Runs the passes and returns all symbols of the scale, [N, C, h, w]; `describe` turns symbols into inputs."""
        first = code(0, self.parameters_of(0, features, None))
        second = code(1, self.parameters_of(1, features, describe(first)))
        luma = first + second
        return torch.cat([luma, code(2, self.parameters_of(2, features, describe(luma)))], 1)

    def parameters_of(self, number: int, features: Tensor, described: Tensor | None) -> Tensor:
        """The parameters of a pass, [N, P, C, h, w]; `described` are the luma symbols that it sees."""
        if described is None:
            output = self.first(features)
        else:
            network = self.second if number == 1 else self.third
            output = network(torch.cat([features, described], 1))
        split: Tensor = output.unflatten(1, (self.parameters_each, -1))
        return split


class ProbabilityNetworks(nn.Module):
    """All of them: 0.4 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        w = CHAIN_WIDTHS
        self.exact = False
        self.up = nn.ModuleList([nn.Identity(), *(_upwards(w[i - 1], w[i]) for i in range(1, SCALES))])
        self.base = nn.ModuleList([Passes(w[i], i, 2, 32, MEAN_STEPS) for i in range(SCALES)])
        self.fuse = nn.ModuleList(
            [nn.Sequential(Pointwise(w[i] + 2 * CHANNELS[i], w[i]), Mix(w[i])) for i in range(SCALES)]
        )
        self.down = nn.ModuleList([Pointwise(4 * w[i + 1], w[i]) for i in range(SCALES - 1)])
        self.join = nn.ModuleList([Pointwise(2 * w[i], w[i]) for i in range(SCALES - 1)])
        self.context = nn.ModuleList([Mix(w[i]) for i in range(SCALES)])
        self.planes = nn.ModuleList(
            [PlaneNetworks(w, 1 + parts) for w, parts in zip(PLANE_WIDTHS, SPLITS, strict=True)]
        )

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def chain_features(self, scale: int, before: Tensor | None, like: Tensor) -> Tensor:
        """Features of a scale before its symbols are known, [N, W, h, w]; `like` gives N, h, w for the first."""
        if before is None:
            return like.new_zeros(len(like), CHAIN_WIDTHS[0], *like.shape[2:]).contiguous(
                memory_format=torch.channels_last
            )
        features: Tensor = self.up[scale](before)
        return features

    def code_base(self, scale: int, features: Tensor, code: PassCoder) -> tuple[Tensor, Tensor]:
        """Codes the base of one scale: its indices [N, C, h, w] and the features that the next scale starts from."""
        index = self.base[scale](features, code, lambda n: self._describe(n, _SIGNED_GAIN[scale]))
        after: Tensor = self.fuse[scale](torch.cat([features, self._describe(index, _SIGNED_GAIN[scale])], 1))
        return index, after

    def contexts(self, chain: list[Tensor]) -> list[Tensor]:
        """What all of a tile's base says at each scale: [N, W, h, w] each."""
        above = chain[-1]
        contexts: list[Tensor] = [self.context[-1](above)]
        for i in reversed(range(SCALES - 1)):
            below = self.down[i](F.pixel_unshuffle(above, 2).contiguous(memory_format=torch.channels_last))
            above = self.join[i](torch.cat([chain[i], below], 1))
            contexts.insert(0, self.context[i](above))
        return contexts

    def plane_features(self, plane: int, scale: int, context: Tensor, index: Tensor, carried: Tensor | None) -> Tensor:
        """What N blocks know of one scale of a plane before its symbols, [N, W, h, w]; arguments as in `code_plane`."""
        networks: PlaneNetworks = self.planes[plane - 1]  # type: ignore[assignment]
        inputs = [context, self._describe(index, 64.0)] + ([] if carried is None else [carried])
        features: Tensor = networks.enter[scale](torch.cat(inputs, 1))
        return features

    def pass_parameters(self, plane: int, scale: int, number: int, features: Tensor, luma: Tensor | None) -> Tensor:
        """Parameters of one pass, [N, P, C, h, w], given luma symbols [N, C, h, w]; none are needed for the first."""
        networks: PlaneNetworks = self.planes[plane - 1]  # type: ignore[assignment]
        passes: Passes = networks.passes[scale]  # type: ignore[assignment]
        return passes.parameters_of(number, features, None if luma is None else self._describe(luma, 64.0))

    def carry(self, plane: int, scale: int, features: Tensor, symbols: Tensor) -> Tensor | None:
        """What a scale hands to the next one, [N, CARRIED, 2 h, 2 w]; None after the last."""
        if scale == SCALES - 1:
            return None
        networks: PlaneNetworks = self.planes[plane - 1]  # type: ignore[assignment]
        carried: Tensor = networks.carry[scale](torch.cat([features, self._describe(symbols, 64.0)], 1))
        return carried

    def code_plane(
        self, plane: int, scale: int, context: Tensor, index: Tensor, carried: Tensor | None, code: PassCoder
    ) -> tuple[Tensor, Tensor | None]:
        """Codes one scale of an enhance plane for N blocks.

        Args:
            plane, scale: which.
            context: features at the blocks, [N, W, h, w].
            index: their indices of plane - 1, [N, C, h, w].
            carried: what the plane's coarser scale handed on; None at the coarsest.
            code: codes a pass; the parameters are (zero, sign) if the parent bin is zero, then the same if it is not,
                but no sign where it is halved.
        Returns:
            symbols [N, C, h, w], and what is handed to the next scale, as `carry` says.
        """
        features = self.plane_features(plane, scale, context, index, carried)
        networks: PlaneNetworks = self.planes[plane - 1]  # type: ignore[assignment]
        symbols = networks.passes[scale](features, code, lambda s: self._describe(s, 64.0))
        return symbols, self.carry(plane, scale, features, symbols)

    def _describe(self, index: Tensor, gain: float) -> Tensor:
        """Integers as inputs: a logarithm of their size and a clipped signed value, [N, 2 C, h, w]."""
        size = _SIZES.to(index.device)[index.abs().clamp(max=len(_SIZES) - 1).long()]
        signed = (index * gain).clamp_(-MAX_ACTIVATION, MAX_ACTIVATION)
        both = torch.cat([size, signed], 1)
        return both if self.exact else both * UNIT


class PlaneNetworks(nn.Module):
    """The networks of one enhance plane, which look at one block at a time."""

    def __init__(self, width: int, parameters: int) -> None:
        super().__init__()
        hidden = 32 if width > 32 else 24
        self.enter = nn.ModuleList()
        self.passes = nn.ModuleList()
        self.carry = nn.ModuleList()
        for i in range(SCALES):
            inputs = CHAIN_WIDTHS[i] + 2 * CHANNELS[i] + (CARRIED if i else 0)
            self.enter.append(nn.Sequential(Pointwise(inputs, width), Mix(width)))
            self.passes.append(Passes(width, i, parameters, hidden, ODDS_STEPS))
            if i < SCALES - 1:
                self.carry.append(_upwards(width + 2 * CHANNELS[i], CARRIED))


class Upsample(nn.PixelShuffle):
    """Pixel shuffle that keeps channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous(memory_format=torch.channels_last)


def _upwards(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(Pointwise(inputs, 4 * outputs), Upsample(2))


def _context(inputs: int, hidden: int, outputs: int, steps: int) -> nn.Sequential:
    return nn.Sequential(
        Pointwise(inputs, hidden), Depthwise(hidden), Pointwise(hidden, outputs, scale=steps, activation=False)
    )
