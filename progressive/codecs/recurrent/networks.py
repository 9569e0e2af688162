"""Encoder, binariser and decoder of an iteration (Wang et al. 2019, Eq. 4 and Fig. 4), beside the linear start.

    residual ─┬─ LSTM A-D ──────────╮                         ╭─ LSTM E-H ─────────────────╮
              └─ linear analysis ── + ─ sign ── codes ────────┼─ moves of coefficients ────┴─ head ── picture
                                                              ╰─ absent ones are zero

All heads are zero at first, so an untrained codec is the linear one. What the decoder remembers sets the steps of the
next iteration, so that calm cells are refined in small ones. The head is no memory: it runs when a picture is wanted.

Legend: N photos; B codes a cell; h x w cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.recurrent.layout import BITS
from progressive.codecs.recurrent.linear import Linear
from progressive.codecs.recurrent.lstm import Memory, Unit

FINE, COARSE = 40, 80
"""Channels at 1/8 and at 1/16 of the resolution."""

HEAD, DETAIL = 48, 24
"""Channels of the head at 1/4, and those of them that memory brings."""

LARGEST_GAIN = 1.5
"""Logarithm of what steps grow or shrink by at most."""

GREY = 0.5


@dataclass(frozen=True)
class Received:
    """What a decoder knows after some iterations.

    Fields:
        iterations: how many.
        coefficients: of the linear part, [N, C, h, w].
        memories: of the units E, F at 1/16 and G, H at 1/8; none before the first iteration.
    """

    iterations: int
    coefficients: Tensor
    memories: tuple[Memory, ...] = ()


class Encoder(nn.Module):
    """Residuals -> what the binariser adds to the linear part, [N, B, h, w], in steps."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3 * 64, FINE, 1)
        self.fine = nn.ModuleList([Unit(FINE, FINE), Unit(FINE, FINE)])
        self.gather = nn.Conv2d(4 * FINE, COARSE, 1)
        self.coarse = nn.ModuleList([Unit(COARSE, COARSE), Unit(COARSE, COARSE)])
        self.out = _zeros(nn.Conv2d(COARSE, BITS, 1))

    def forward(self, residual: Tensor, before: tuple[Memory, ...]) -> tuple[Tensor, tuple[Memory, ...]]:
        """Residuals [N, 3, 16 h, 16 w] and memories before -> what is added, and memories after."""
        found: list[Memory] = []
        x = self.enter(F.pixel_unshuffle(residual, 8).contiguous(memory_format=torch.channels_last))
        for unit in self.fine:
            found.append(unit(x, before[len(found)] if before else None))
            x = found[-1][1]
        x = self.gather(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        for unit in self.coarse:
            found.append(unit(x, before[len(found)] if before else None))
            x = found[-1][1]
        return self.out(x), tuple(found)


class Decoder(nn.Module):
    """The units E to H, and what they say of the next iteration's steps."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(BITS + 1, COARSE, 1)
        self.coarse = nn.ModuleList([Unit(COARSE, COARSE), Unit(COARSE, COARSE)])
        self.refine = nn.Conv2d(COARSE, 4 * FINE, 1)
        self.fine = nn.ModuleList([Unit(FINE, FINE), Unit(FINE, FINE)])
        self.gain = _zeros(nn.Conv2d(COARSE, BITS, 1))

    def forward(self, codes: Tensor, before: tuple[Memory, ...]) -> tuple[Memory, ...]:
        """Codes -1, 1, or 0 where there is none, [N, B, h, w], and memories before -> memories after."""
        found: list[Memory] = []
        known = codes[:, :1].abs()
        x = self.enter(torch.cat([codes, known], 1).contiguous(memory_format=torch.channels_last))
        for unit in self.coarse:
            found.append(unit(x, before[len(found)] if before else None))
            x = found[-1][1]
        x = F.pixel_shuffle(self.refine(x), 2).contiguous(memory_format=torch.channels_last)
        for unit in self.fine:
            found.append(unit(x, before[len(found)] if before else None))
            x = found[-1][1]
        return tuple(found)

    def gains(self, memories: tuple[Memory, ...]) -> Tensor | None:
        """What the steps of the next iteration are multiplied by, [N, B, h, w]; None before the first."""
        if not memories:
            return None
        return torch.exp(LARGEST_GAIN * torch.tanh(self.gain(memories[1][1]).float()))


class Head(nn.Module):
    """The linear picture and what the decoder remembers -> the picture; sub-pixel structure as in the paper."""

    REACH = 3
    """Positions at 1/4 of the resolution that it looks beyond its own."""

    def __init__(self) -> None:
        super().__init__()
        self.recall = nn.Conv2d(FINE, 4 * DETAIL, 1)
        self.body = nn.Sequential(
            nn.Conv2d(3 * 16 + DETAIL, HEAD, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(HEAD, HEAD, 3, padding=1),
            nn.ReLU(inplace=True),
            _zeros(nn.Conv2d(HEAD, 3 * 16, 3, padding=1)),
        )

    def forward(self, linear: Tensor, remembered: Tensor) -> Tensor:
        """Pictures about zero [N, 3, 16 h, 16 w] and hidden states of unit H [N, FINE, 2 h, 2 w] -> RGB about zero."""
        recalled = F.pixel_shuffle(self.recall(remembered), 2)
        seen = torch.cat([F.pixel_unshuffle(linear, 4), recalled.to(linear.dtype)], 1)
        return linear + F.pixel_shuffle(self.body(seen.contiguous(memory_format=torch.channels_last)), 4)


class Networks(nn.Module):
    """All that codes and decodes but probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.encoder, self.decoder, self.head = Linear(), Encoder(), Decoder(), Head()

    def nothing(self, count: int, height: int, width: int) -> Received:
        """What is known before the first iteration, of so many photos of so many cells."""
        return Received(0, self.linear.start.view(1, -1, 1, 1).expand(count, -1, height, width))

    def binarised(
        self, residual: Tensor, received: Received, before: tuple[Memory, ...]
    ) -> tuple[Tensor, tuple[Memory, ...]]:
        """The codes of the next iteration for what a picture lacks, -1 or 1 [N, B, h, w]; and the encoder's memories.

        Gradients pass the sign as if it were a hyperbolic tangent.
        """
        iteration = received.iterations
        added, memories = self.encoder(residual, before)
        steps = self.linear.steps(iteration, self.decoder.gains(received.memories))
        left = self.linear.analyse(residual).float()
        steps, added = steps.expand_as(added), added.float()
        codes: list[Tensor] = []
        order: list[Tensor] = []
        for chosen in self.linear.depths(iteration):
            coefficient = self.linear.coefficient[iteration, chosen]
            code = _sign(left[:, coefficient] / steps[:, chosen] + added[:, chosen])
            left = left.index_add(1, coefficient, -steps[:, chosen] * code)
            codes.append(code)
            order.append(chosen)
        return torch.cat(codes, 1)[:, torch.argsort(torch.cat(order))], memories

    def receive(self, received: Received, codes: Tensor) -> Received:
        """What is known after one more iteration, of codes -1, 1, or 0 where there is none, [N, B, h, w]."""
        steps = self.linear.steps(received.iterations, self.decoder.gains(received.memories))
        coefficients = self.linear.moved(received.coefficients, received.iterations, steps * codes)
        return Received(received.iterations + 1, coefficients, self.decoder(codes, received.memories))

    def picture(self, received: Received) -> Tensor:
        """RGB about zero, [N, 3, 16 h, 16 w]: 0 is mid-grey, -0.5 black, 0.5 white."""
        if not received.memories:
            return self.linear.synthesise(received.coefficients).float()
        return self.shown(received.coefficients, received.memories[-1][1])

    def shown(self, coefficients: Tensor, remembered: Tensor) -> Tensor:
        """The same of coefficients [N, C, h, w] and hidden states of unit H [N, FINE, 2 h, 2 w]."""
        shown: Tensor = self.head(self.linear.synthesise(coefficients).float(), remembered)
        return shown


def _sign(x: Tensor) -> Tensor:
    soft = torch.tanh(x)
    hard = torch.where(x >= 0, 1.0, -1.0)
    return soft + (hard - soft).detach() if soft.requires_grad else hard


def _zeros(layer: nn.Conv2d) -> nn.Conv2d:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
