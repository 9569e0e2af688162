"""How likely each code is: a small network in exact integers, so that a segment decodes to the same everywhere.

A segment holds the codes of one iteration of some cells of a tile, its **group**. What is known before is of the same
cells: their codes of the two iterations before, and, code by code, those of this one. Codes come in passes: eight sets
of four codes, each first on one colour of a checkerboard of cells, then on the other. The first iteration, which has
nothing before it, has layers of its own; the others share all but biases.

Legend: N groups; B codes a cell; h x w cells. Codes are int8: -1, 1, or 0 where none is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from progressive.codecs.recurrent.layout import BITS, ITERATIONS
from progressive.exact.layers import MAX_ACTIVATION, UNIT, Conv, Residual, layers_of

WIDTH, SEEN, HIDDEN = 48, 32, 48
SETS = 8
"""Sets of codes that are coded one after the other."""

EACH = BITS // SETS

BEFORE = 2
"""Iterations before that are looked at."""

ODDS_STEPS = 8
"""Rows of the table a nat of log-odds."""

MOST_ODDS = 6
"""Log-odds are at most this far from zero."""

ROWS = 2 * ODDS_STEPS * MOST_ODDS + 1


@dataclass(frozen=True, slots=True)
class Pass:
    """The codes of one pass. Fields: which set; cells whose row and column have a sum of this parity."""

    number: int
    parity: int

    @property
    def codes(self) -> slice:
        return slice(self.number * EACH, (self.number + 1) * EACH)

    def cells(self, like: Tensor) -> Tensor:
        """True at its cells, [h, w], of a tensor [..., h, w]."""
        rows, columns = (torch.arange(n, device=like.device) for n in like.shape[-2:])
        return (rows[:, None] + columns) % 2 == self.parity


def passes() -> Iterator[Pass]:
    """In their order."""
    return (Pass(number, parity) for number in range(SETS) for parity in (0, 1))


PassCoder = Callable[[Pass, Tensor], Tensor]
"""Codes a pass: log-odds of a code that is 1, at all cells [N, EACH, h, w] -> all codes of its set known then."""


class Layers(nn.Module):
    """Features of what came before, and the passes over an iteration. Argument: how many biases to choose from."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.enter = Conv(2 * BEFORE * BITS, WIDTH, 3, kinds=kinds)
        self.body = Residual(WIDTH)
        self.see = nn.ModuleList([Conv(2 * BITS, SEEN, 3, kinds=kinds) for _ in range(SETS)])
        self.hidden = nn.ModuleList([Conv(WIDTH + SEEN, HIDDEN, kinds=kinds) for _ in range(SETS)])
        self.out = nn.ModuleList(
            [Conv(HIDDEN, EACH, kinds=kinds, scale=ODDS_STEPS, activation=False) for _ in range(SETS)]
        )
        with torch.no_grad():
            for layer in self.out:
                layer.weight.mul_(0.1)  # type: ignore[operator]


class ContextNetwork(nn.Module):
    """Log-odds of codes: 0.57 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.later = Layers(1), Layers(ITERATIONS - 1)
        self.kernel = "training"

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def use(self, kernel: str) -> None:
        """Chooses how frozen layers compute (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        for _, layer in layers_of(self):
            layer.use(kernel)

    def code(self, iteration: int, before: list[Tensor], group: Tensor, coder: PassCoder) -> Tensor:
        """Codes an iteration.

        Args:
            iteration: from 0.
            before: codes of the iterations before, the last one last, [N, B, h, w] each; of cells outside they may be
                anything.
            group: the cells, bool [N, 1, h, w].
            coder: codes each pass.
        Returns:
            all codes of the group, zero elsewhere.
        """
        layers, kind = (self.later, iteration - 1) if iteration else (self.first, 0)
        codes = torch.zeros(len(group), BITS, *group.shape[2:], dtype=torch.int8, device=group.device)
        last = [codes] * max(0, BEFORE - len(before)) + before[-BEFORE:]
        known = torch.cat([self._described(each * group) for each in last], 1)
        features: Tensor = layers.body(layers.enter(_last(known), kind))
        for each in passes():
            seen = layers.see[each.number](self._described(codes), kind)
            hidden = layers.hidden[each.number](_last(torch.cat([features, seen], 1)), kind)
            found = coder(each, layers.out[each.number](hidden, kind))
            codes = codes.clone()
            codes[:, each.codes] = found * group
        return codes

    def _described(self, codes: Tensor) -> Tensor:
        """Codes as inputs, [N, 2 B, h, w]: those that are 1, then those that are -1."""
        signed = torch.cat([codes > 0, codes < 0], 1).to(torch.uint8) * MAX_ACTIVATION
        if self.kernel == "training":
            return _last(signed.to(torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32) * UNIT)
        return _last(signed if self.kernel == "int8" else signed.float())


def row_of(odds: Tensor) -> Tensor:
    """The row of the table for exact log-odds, integers of 1 / ODDS_STEPS: int64, 0..ROWS - 1."""
    most = ODDS_STEPS * MOST_ODDS
    return odds.to(torch.int64).clamp(-most, most) + most


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
