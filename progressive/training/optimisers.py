"""The optimisers that settings can name."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import AdamW, Optimizer

from progressive.training.muon import Muon

OPTIMISERS: dict[str, Callable[..., Optimizer]] = {"adam": AdamW, "muon": Muon}
"""Each takes groups of parameters and `weight_decay`; without decay AdamW is Adam."""
