"""The loop of RMPGC's training: steps, the moving average of the weights, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from progressive.errors import RunError
from progressive.training.muon import Muon
from progressive.training.progress import progress_bar
from progressive.training.rmpgc_model import Semantics, Trainee
from progressive.training.rmpgc_phases import PHASES, Loss, Phase
from progressive.training.rmpgc_photos import PhotoPool
from progressive.training.rmpgc_settings import Settings
from progressive.training.workers import Worker

Log = Callable[[str], None]

LOWEST_RATE = 0.02
"""Where the cosine of the learning rate ends, as a share of its top."""

LARGEST_GRADIENT = 1.0
"""Norm that a module's gradient is clipped to."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Fields:
        phases: their names, one after the other.
        resumed: it goes on from finished weights: nothing starts afresh, and learning rates are lower.
        seed: of everything drawn.
    """

    phases: tuple[str, ...]
    resumed: bool
    seed: int


class Training:
    """A run: carries out its plan, and writes its state beside the weights so that it can go on.

    Args:
        model: what is trained; holds the result in the end.
        pool, held_out: photos to train on and to watch, RGB in 0..1, [1, 3, H, W] each.
        state: the file of checkpoints.
    """

    def __init__(
        self,
        model: Trainee,
        plan: Plan,
        settings: Settings,
        *,
        pool: PhotoPool,
        held_out: list[Tensor],
        worker: Worker,
        state: Path,
        log: Log,
    ) -> None:
        self.model, self.plan, self.settings = model.to(worker.device), plan, settings
        self.pool, self.held_out, self.worker, self.state, self.log = pool, held_out, worker, state, log
        self.semantics = Semantics().to(worker.device)

    def run(self, checkpoint: dict[str, Any] | None = None) -> None:
        """Carries the plan out, from a checkpoint (`read_checkpoint`) or from the beginning."""
        first = 0
        if checkpoint is not None:
            self.model.load_state_dict(checkpoint["model"])
            first = checkpoint["number"]
        for number in range(first, len(self.plan.phases)):
            name = self.plan.phases[number]
            if self.settings.phase(name).steps:
                phase = PHASES[name](self.model, self.semantics, self.settings, self.pool)
                self._run_phase(number, phase, checkpoint)
            checkpoint = None

    def _run_phase(self, number: int, phase: Phase, checkpoint: dict[str, Any] | None) -> None:
        if checkpoint is None or not checkpoint["step"]:
            phase.prepare(self._generator(number, 0), fresh=not self.plan.resumed)
            checkpoint = None
        fit = Fit(phase, self.model, self.settings.averaging)
        if checkpoint is not None:
            fit.restore(checkpoint)
        top = phase.own.learning_rate * (self.settings.resumed_rate if self.plan.resumed else 1)
        spent_s, since = 0.0, fit.step
        with progress_bar(phase.name, total=phase.own.steps, done=fit.step) as advance:
            while fit.step < phase.own.steps:
                started = time.monotonic()
                rng = self._generator(number, 1 + fit.step * self.worker.count + self.worker.rank)
                rate = top * scheduled(fit.step, phase.own.steps, self.settings.warm_up)
                loss = fit.learn(rng, rate, self.worker)
                spent_s += time.monotonic() - started
                advance()
                if fit.step % self.settings.report == 0:
                    self._report(fit, loss, spent_s / (fit.step - since))
                if fit.step % self.settings.checkpoint == 0 and fit.step < phase.own.steps:
                    self._evaluate(fit)
                    self._write({"number": number} | fit.state())
        self.model.load_state_dict(fit.average.state_dict())
        self._evaluate(fit)
        self._write({"number": number + 1, "step": 0, "model": self.model.state_dict()})

    def _generator(self, phase: int, number: int) -> np.random.Generator:
        """Every step draws from a generator of its own, so that a run that goes on draws as one that never stopped."""
        return np.random.default_rng((self.plan.seed, phase, number))

    def _report(self, fit: Fit, loss: Loss, seconds: float) -> None:
        if not math.isfinite(float(loss.total.detach())):
            raise RunError(f"the {fit.phase.name} phase diverged at step {fit.step}: lower its learning_rate")
        if self.worker.leads:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in fit.figures.items())
            seen = fit.step * fit.phase.own.batch * self.worker.count
            name, steps = fit.phase.name, fit.phase.own.steps
            self.log(f"{name} {fit.step}/{steps}, {seen} crops seen: {figures}; {seconds:.2f} s a step")

    def _evaluate(self, fit: Fit) -> None:
        if self.worker.leads and self.held_out:
            self.log(f"{fit.phase.name} {fit.step}, photos set aside: {fit.phase.report(fit.average, self.held_out)}")
        self.worker.wait()

    def _write(self, state: dict[str, Any]) -> None:
        if self.worker.leads:
            plan = {"phases": list(self.plan.phases), "resumed": self.plan.resumed, "seed": self.plan.seed}
            partial = self.state.with_name(f"{self.state.name}.partial")
            torch.save(state | {"plan": plan}, partial)
            partial.replace(self.state)
        self.worker.wait()


class Fit:
    """A phase under way: the optimiser and the moving average of the weights."""

    def __init__(self, phase: Phase, model: Trainee, averaging: float) -> None:
        self.phase, self.model, self.averaging = phase, model, averaging
        self.average = deepcopy(model).requires_grad_(False)
        self.parameters = [p for module in phase.trained for p in module.parameters()]
        self.optimiser = Muon(self.parameters)
        self.step = 0
        self.figures: dict[str, float] = {}

    def learn(self, rng: np.random.Generator, rate: float, worker: Worker) -> Loss:
        """A gradient step; returns the loss before it."""
        for networks in (self.model.networks, self.average.networks):
            networks.set_rounding(self.phase.rounding(self.step))
        loss = self.phase.loss(rng)
        self.optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        worker.average_gradients(self.parameters)
        for module in self.phase.trained:
            nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self._follow()
        self.step += 1
        for name, value in loss.figures.items():
            self.figures[name] = 0.98 * self.figures.get(name, float(value)) + 0.02 * float(value)
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
        """The average follows; early on faster, so that it forgets where it began."""
        share = 1 - min(self.averaging, (self.step + 1) / (self.step + 20))
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, share)


def scheduled(step: int, steps: int, warm_up: int) -> float:
    """The learning rate of a step as a share of the highest: a warm-up, then half a cosine."""
    falling = LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warm_up) * falling
