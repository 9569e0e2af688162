"""The unit that the networks are made of: a convolutional long short-term memory, from iteration to iteration.

Legend: N photos; C channels; h x w positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Memory = tuple[Tensor, Tensor]
"""Memory state and hidden state of a unit, [N, C, h, w] each."""


class Unit(nn.Module):
    """Wang et al. 2019, Eq. 5-7 and Fig. 5: the input through 3x3 kernels, the hidden state through 1x1.

    Args:
        inputs: channels of the input.
        channels: of the states, and of what the unit gives.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv_in = nn.Conv2d(inputs, 4 * channels, 3, padding=1)
        self.conv_hi = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        with torch.no_grad():
            self.conv_in.bias[:channels] = 1.0  # type: ignore[index]  # remembers at first

    def forward(self, x: Tensor, before: Memory | None) -> Memory:
        """The states after an iteration, from its input [N, inputs, h, w] and those before; None before the first."""
        gates: Tensor = self.conv_in(x)
        if before is not None:
            gates = gates + self.conv_hi(before[1])
        forget, write, candidate, show = torch.split(gates, self.channels, 1)
        memory = write.sigmoid() * candidate.tanh()
        if before is not None:
            memory = forget.sigmoid() * before[0] + memory
        return memory, show.sigmoid() * memory.tanh()
