"""What a recipe trains for a while, on what, and for which loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor, nn

from progressive.training.settings import PhaseSettings

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Loss:
    """What is minimised, and figures for the log by name."""

    total: Tensor
    figures: dict[str, Tensor]


class Phase(ABC, Generic[M]):
    """A stretch of a training that minimises one loss.

    Args:
        name: in the log and in the settings.
        model: all that the recipe trains, by this phase or another one.
        own: the phase's settings.
    """

    def __init__(self, name: str, model: M, own: PhaseSettings) -> None:
        self.name, self.model, self.own = name, model, own

    @property
    @abstractmethod
    def trained(self) -> list[nn.Module]:
        """The modules whose weights this phase changes; the gradient of each is clipped by itself."""

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The parameters of `trained`, and the learning rate of each group as a share of the phase's."""
        return [([p for module in self.trained for p in module.parameters()], 1.0)]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        """Before the first step; `fresh` if the trained modules know nothing yet."""

    def configure(self, model: M, step: int) -> None:
        """Makes a model, the trained one or its average, compute as it should at a step."""

    @abstractmethod
    def loss(self, rng: np.random.Generator) -> Loss:
        """The loss of a batch that is drawn."""

    @abstractmethod
    def report(self, model: M) -> str:
        """How good a model is on photos set aside, in a line; empty if there are none."""
