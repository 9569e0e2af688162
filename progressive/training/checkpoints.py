"""The state of a run, kept beside the weights while it lasts."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from progressive.errors import UsageError

State = dict[str, Any]
"""`number` of the phase that goes on, its `step`, the `model`, and what else `Fit.state` tells."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a run does.

    Fields:
        phases: their names, one after the other.
        resumed: it goes on from finished weights: nothing starts afresh, and learning rates are lower.
        seed: of everything drawn.
    """

    phases: tuple[str, ...]
    resumed: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where a run keeps its state.

    Fields:
        file: the last one; each replaces the one before.
        owner: recipe and architecture that the state is of; one of another owner is refused.
    """

    file: Path
    owner: str

    def write(self, plan: Agenda, state: State) -> None:
        """Whole or not at all."""
        partial = self.file.with_name(f"{self.file.name}.partial")
        kept = {"phases": list(plan.phases), "resumed": plan.resumed, "seed": plan.seed}
        torch.save(state | {"owner": self.owner, "plan": kept}, partial)
        partial.replace(self.file)

    def read(self, device: torch.device, phases: Collection[str]) -> tuple[Agenda, State]:
        """The plan of an interrupted run, and its state on a device.

        Raises UsageError if the file is damaged, of another owner, or has other phases than these.
        """
        try:
            state = torch.load(self.file, map_location=device, weights_only=True)
            owner = state.get("owner", "a recipe without a name")
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, AttributeError) as error:
            raise UsageError(f"cannot read the state {self.file}: {self._way_out}") from error
        if owner != self.owner:
            raise UsageError(f"the state {self.file} is of {owner}, not of {self.owner}: {self._way_out}")
        with self.fitting():
            kept = state["plan"]
            plan = Agenda(tuple(kept["phases"]), resumed=kept["resumed"], seed=kept["seed"])
            if not set(plan.phases) <= set(phases):
                raise ValueError("other phases")
        return plan, state

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Whatever does not fit in here is the state's fault: UsageError."""
        try:
            yield
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"the state {self.file} is of a {self.owner} of other phases or shapes than this version's: "
                f"{self._way_out}"
            ) from error

    def remove(self) -> None:
        """At the end of a run."""
        self.file.unlink(missing_ok=True)

    @property
    def _way_out(self) -> str:
        return "remove it, or go on with the version that wrote it"
