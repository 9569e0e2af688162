"""All of the recurrent codec that is trained."""

from __future__ import annotations

import torch
from torch import nn

from progressive.codecs.recurrent.context import ContextNetwork
from progressive.codecs.recurrent.networks import Networks


class Trainee(nn.Module):
    """The networks that code and decode, and the one that says how likely codes are."""

    def __init__(self) -> None:
        super().__init__()
        self.networks, self.context = Networks(), ContextNetwork()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
