"""The loop that every recipe trains by: phases one after the other, reports, checkpoints, going on from one.

What is trained, on what and for which loss, the phases know (`phase.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import numpy as np
from torch import nn

from progressive.errors import RunError
from progressive.training.checkpoints import Agenda, Checkpoints, State
from progressive.training.fit import Fit
from progressive.training.phase import Loss, Phase
from progressive.training.progress import progress_bar
from progressive.training.settings import Settings
from progressive.training.workers import Worker

Log = Callable[[str], None]

M = TypeVar("M", bound=nn.Module)


class Training(Generic[M]):
    """A run: carries out its plan, and writes its state beside the weights so that it can go on.

    Args:
        model: what is trained; holds the result in the end.
        phases: what makes each, by name; a phase is made when its turn comes.
        plan: which of them, in which order.
        checkpoints: where the state goes.
    """

    def __init__(
        self,
        model: M,
        phases: Mapping[str, Callable[[], Phase[M]]],
        plan: Agenda,
        settings: Settings,
        *,
        worker: Worker,
        checkpoints: Checkpoints,
        log: Log,
    ) -> None:
        self.model, self.phases, self.plan, self.settings = model.to(worker.device), phases, plan, settings
        self.worker, self.checkpoints, self.log = worker, checkpoints, log

    def run(self, state: State | None = None) -> None:
        """Carries the plan out, from a state that `Checkpoints.read` gave or from the beginning.

        Raises RunError if a loss is no longer a number, UsageError if the state is another model's.
        """
        first = 0
        if state is not None:
            with self.checkpoints.fitting():
                self.model.load_state_dict(state["model"])
            first = state["number"]
        for number in range(first, len(self.plan.phases)):
            name = self.plan.phases[number]
            if self.settings.phase(name).steps:
                self._run_phase(number, self.phases[name](), state)
            state = None

    def _run_phase(self, number: int, phase: Phase[M], state: State | None) -> None:
        if state is None or not state["step"]:
            phase.prepare(self._generator(number, 0), fresh=not self.plan.resumed)
            state = None
        fit = Fit(phase, self.settings)
        if state is not None:
            with self.checkpoints.fitting():
                fit.restore(state)
        top = phase.own.learning_rate * (self.settings.resumed_rate if self.plan.resumed else 1)
        spent_s, since = 0.0, fit.step
        with progress_bar(phase.name, total=phase.own.steps, done=fit.step) as advance:
            while fit.step < phase.own.steps:
                started = time.monotonic()
                rng = self._generator(number, 1 + fit.step * self.worker.count + self.worker.rank)
                loss = fit.learn(rng, top * scheduled(fit.step, phase.own.steps, self.settings), self.worker)
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

    def _report(self, fit: Fit[M], loss: Loss, seconds: float) -> None:
        if not math.isfinite(float(loss.total.detach())):
            raise RunError(f"the {fit.phase.name} phase diverged at step {fit.step}: lower its learning_rate")
        figures = ", ".join(f"{name} {value:.4g}" for name, value in fit.figures.items())
        seen = fit.step * fit.phase.own.batch * self.worker.count
        name, steps = fit.phase.name, fit.phase.own.steps
        self.log(f"{name} {fit.step}/{steps}, {seen} samples seen: {figures}; {seconds:.2f} s a step")

    def _evaluate(self, fit: Fit[M]) -> None:
        if self.worker.leads and (line := fit.phase.report(fit.average)):
            self.log(f"{fit.phase.name} {fit.step}, photos set aside: {line}")
        self.worker.wait()

    def _write(self, state: State) -> None:
        if self.worker.leads:
            self.checkpoints.write(self.plan, state)
        self.worker.wait()


def scheduled(step: int, steps: int, settings: Settings) -> float:
    """The learning rate of a step as a share of the highest: a warm-up, then half a cosine."""
    falling = settings.lowest_rate + (1 - settings.lowest_rate) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / settings.warm_up) * falling
