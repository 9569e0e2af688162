"""What is trained: a second synthesis, and the discriminators that it has to deceive."""

from __future__ import annotations

import torch
from torch import nn

from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.training.discriminators import Discriminators


class Trainee(nn.Module):
    """The synthesis is what is kept."""

    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__()
        self.synthesis, self.discriminators = synthesis, Discriminators()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(True)
