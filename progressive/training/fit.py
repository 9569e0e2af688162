"""A phase under way: the optimiser, and the moving average of the weights, which is what is kept."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from progressive.training.optimisers import OPTIMISERS
from progressive.training.phase import Loss, Phase
from progressive.training.settings import Settings
from progressive.training.workers import Worker

M = TypeVar("M", bound=nn.Module)

LOSS = "loss"
"""The name of what is minimised among the figures."""

FIGURE_AVERAGING = 0.98
"""Decay a step of the moving averages that figures of the log are."""


class Fit(Generic[M]):
    """Steps of a phase.

    Fields:
        average: the moving average of the model.
        step: how many were taken.
        figures: the loss and its figures, such as rate and distortion, averaged over the last steps.
    """

    def __init__(self, phase: Phase[M], settings: Settings) -> None:
        self.phase, self.model, self.settings = phase, phase.model, settings
        self.average = deepcopy(phase.model).requires_grad_(False)
        groups = [{"params": parameters, "share": share} for parameters, share in phase.groups()]
        self.optimiser = OPTIMISERS[settings.optimiser](groups, weight_decay=settings.weight_decay)
        self.step = 0
        self.figures: dict[str, float] = {}

    def learn(self, rng: np.random.Generator, rate: float, worker: Worker) -> Loss:
        """A gradient step; returns the loss before it."""
        for model in (self.model, self.average):
            self.phase.configure(model, self.step)
        loss = self.phase.loss(rng)
        self.optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        worker.average_gradients(p for group in self.optimiser.param_groups for p in group["params"])
        for module in self.phase.trained:
            nn.utils.clip_grad_norm_(module.parameters(), self.settings.largest_gradient)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.step()
        self._follow()
        self.step += 1
        for name, value in {LOSS: loss.total.detach(), **loss.figures}.items():
            before = self.figures.get(name, float(value))
            self.figures[name] = FIGURE_AVERAGING * before + (1 - FIGURE_AVERAGING) * float(value)
        return loss

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "figures": self.figures,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a `state`, whose model is loaded already."""
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.figures = state["step"], state["figures"]

    @torch.no_grad()
    def _follow(self) -> None:
        """The average follows; early on faster, so that it forgets where it began. Counters are copied."""
        share = 1 - min(self.settings.averaging, (self.step + 1) / (self.step + 20))
        for slow, fast in zip(_numbers_of(self.average), _numbers_of(self.model), strict=True):
            if slow.is_floating_point():
                slow.lerp_(fast, share)
            else:
                slow.copy_(fast)


def _numbers_of(model: nn.Module) -> chain[Tensor]:
    return chain(model.parameters(), model.buffers())
