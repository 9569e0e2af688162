"""The probabilities of the latent in exact integers: a hyperprior, the label map, and what is decoded already.

The hyperprior z has a position for each block of 64 pixels (Iwai et al., section III-C); z and the label map become
features of every cell. The first group of channels is a tile's as a whole, in passes that see the ones before: one cell
of each 2x2 square, the opposite one, the other two. The other groups are coded block by block, each given those before.

All layers are exact (`progressive.exact.layers`); inputs and outputs are integers there, multiples of `UNIT` in
training.

Legend: N tiles or blocks; C coefficients a cell; h x w cells; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.groups import FIRST, GROUPS, ROOT, size
from progressive.codecs.label_guided.layout import SIDE
from progressive.codecs.label_guided.steps import COARSEST_STEP, FINEST, HATS, LEVELS_AN_OCTAVE, hats
from progressive.exact.inputs import TRAINING, activations, in_order, joined, signed_sizes
from progressive.exact.laplace import STEPS
from progressive.exact.layers import MAX_ACTIVATION, Conv, Residual, layers_of
from progressive.exact.passes import OTHERS, Place, luma_places

HYPER_CHANNELS = 8
HYPER_REACH = 7
"""The hyperprior's symbols are -7..7."""

HYPER_UNIT = 36
"""What one step of the hyperprior is as an input."""

WIDTH, SEEN, HIDDEN = 48, 32, 64
SPREAD = 32
"""Channels of the hyperprior's features at each cell."""

PARAMETERS = 2
FINE = 4 * STEPS
"""Output integers of the first group: a photo value of the mean, and an octave of the scale."""

VALUE = 64
"""`UNITS` of a step of one."""

UNITS = torch.tensor([round(VALUE * COARSEST_STEP * 2 ** (-n / LEVELS_AN_OCTAVE)) for n in range(FINEST + 1)])
"""The step of each level in 64ths, an integer."""

SIZE_OF_VALUE = 18
"""What a coefficient of one photo value is as an input."""

PassCoder = Callable[[Place, Tensor], Tensor]
"""Codes one pass: (its place, parameters [N, 2, C, h, w]) -> the indices there, [N, C, h, w].

Parameters are (mean, logarithm to base two of the scale) of a distribution over indices; of the first group in `FINE`,
its mean in photo values.
"""


def places_of_first(height: int, width: int) -> Iterator[Place]:
    """The passes over the first group of so many cells, in order."""
    return luma_places(ROOT, FIRST, height, width)


def place_of(group: int) -> Place:
    """The single pass over a later group."""
    return Place(group, GROUPS[group], 0)


class Pass(nn.Module):
    """Parameters of the first group in one pass. Argument: whether there are passes before it, which it sees."""

    def __init__(self, sees: bool) -> None:
        super().__init__()
        self.see = Conv(4 * FIRST, SEEN, 3) if sees else None
        self.hidden = Conv(WIDTH + (SEEN if sees else 0), HIDDEN)
        self.out = Conv(HIDDEN, PARAMETERS * FIRST, scale=FINE, activation=False)
        with torch.no_grad():
            self.out.weight.mul_(0.3)

    def forward(self, place: Place, features: Tensor, seen: Tensor) -> Tensor:
        """Features and what is seen of all cells -> parameters at the place, [N * items, 2, C, h', w']."""
        known = place.of(features)
        if self.see is not None:
            known = joined([known, place.of(self.see(seen))])
        output: Tensor = self.out(self.hidden(known))
        return torch.unflatten(output, 1, (PARAMETERS, FIRST))


class Prior(nn.Module):
    """The network.

    z ─ spread ─╮
    labels ─────┴─ enter ─ body ─ passes of the first group ─ leave ─> blocks ─ body ─ group ─ leave ─> ...
    """

    def __init__(self) -> None:
        super().__init__()
        self.around = Conv(2 * HYPER_CHANNELS + HATS, WIDTH, 3)
        self.spread = Conv(WIDTH, SPREAD * SIDE**2)
        self.enter = Conv(SPREAD + COUNT + HATS, WIDTH, 3)
        self.body = Residual(WIDTH)
        self.passes = nn.ModuleList([Pass(number > 0) for number in range(OTHERS + 1)])
        later = range(ROOT + 1, len(GROUPS))
        self.leave = nn.ModuleList([Conv(WIDTH + 4 * FIRST, WIDTH)] + [Conv(WIDTH + 2 * size(g), WIDTH) for g in later])
        self.bodies = nn.ModuleList([Residual(WIDTH) for _ in later])
        self.out = nn.ModuleList([Conv(WIDTH, PARAMETERS * size(g), scale=STEPS, activation=False) for g in later])
        with torch.no_grad():
            for layer in self.out:
                layer.weight.mul_(0.3)  # type: ignore[operator]
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

    def code_first(self, hyper: Tensor, labels: Tensor, levels: Tensor, code: PassCoder) -> Tensor:
        """Codes the first group.

        Args:
            hyper: the hyperprior, -7..7, [N, 8, R, K]; integers, in training with gradients.
            labels: classes, or BLANK where nothing is said, int64 [N, 4 R, 4 K].
            levels: of the photos, [N].
            code: codes a pass.
        Returns:
            what the next group needs, [N, W, 4 R, 4 K].
        """
        known = hats(levels)
        signed = torch.cat([hyper.clamp(min=0), (-hyper).clamp(min=0)], 1) * HYPER_UNIT
        around = self.around(joined([self._input(signed), self._everywhere(known, hyper)]))
        spread = in_order(F.pixel_shuffle(self.spread(around), SIDE))
        classes = torch.arange(COUNT, device=labels.device).view(-1, 1, 1)
        one_hot = self._input((labels[:, None] == classes) * MAX_ACTIVATION)
        features = self.body(self.enter(joined([spread, one_hot, self._everywhere(known, labels[:, None])])))
        seen = torch.zeros(len(labels), 4 * FIRST, *labels.shape[1:], device=labels.device, dtype=features.dtype)
        seen = in_order(seen)
        for place in places_of_first(*labels.shape[1:]):
            indices = code(place, self.passes[place.number](place, features, seen))
            seen = seen.clone(memory_format=torch.channels_last) if self.training else seen
            place.write(self._described_first(indices, levels.repeat_interleave(place.items)), seen)
        context: Tensor = self.leave[ROOT](joined([features, seen]))
        return context

    def code_later(self, group: int, context: Tensor, code: PassCoder) -> Tensor:
        """Codes another group of blocks.

        Args:
            context: what coding the group before returned, [N, W, 4, 4]; see `ready`.
        Returns:
            what the next group needs.
        """
        features = self.bodies[group - 1](context)
        parameters = torch.unflatten(self.out[group - 1](features), 1, (PARAMETERS, size(group)))
        indices = code(place_of(group), parameters)
        if group == len(GROUPS) - 1:
            return context
        following: Tensor = self.leave[group](joined([features, self._described(indices)]))
        return following

    def ready(self, context: Tensor) -> Tensor:
        """What coding a group returned for some items, kept as bytes, as the next one takes it."""
        return self._input(context)

    def _described(self, indices: Tensor) -> Tensor:
        """Indices as inputs, [N, 2 C, h, w]: a logarithm, roughly, of those above zero, of those below."""
        return self._input(signed_sizes(indices))

    def _described_first(self, indices: Tensor, levels: Tensor) -> Tensor:
        """The same, and in proportion to the coefficient, [N, 4 C, h, w]."""
        units = UNITS.to(indices.device, torch.int32)[levels.long()].view(-1, 1, 1, 1)
        value = (indices.abs().to(torch.int32) * units * SIZE_OF_VALUE // VALUE).clamp_(max=MAX_ACTIVATION)
        linear = self._input(torch.cat([value * (indices > 0), value * (indices < 0)], 1))
        return joined([self._described(indices), linear])

    def _everywhere(self, known: Tensor, like: Tensor) -> Tensor:
        return self._input(known.expand(-1, -1, *like.shape[2:]))

    def _input(self, integers: Tensor) -> Tensor:
        return activations(integers, self.kernel)
