"""Networks on devices."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def copy_on(module: M, device: torch.device | str) -> M:
    """A module of a model as it computes on a device: itself on the CPU, where models are, or else a copy.

    Moving it there would take it away from whoever computes on the CPU.
    """
    return module if torch.device(device).type == "cpu" else deepcopy(module).to(device)
