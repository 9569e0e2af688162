"""What the sections of the results page work with: experiments by file, and calls whose results are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.broadcast_file import read_broadcast
from experiments.broadcast_results import BroadcastResults, run_broadcast
from experiments.experiment import Experiment
from experiments.experiment_file import read_experiment
from experiments.laboratory import Laboratory
from experiments.results import Results
from experiments.store import Store, key_of, photo_digest
from experiments.sweep import VERSION, Job, Tell, finish_jobs, run_sweep
from experiments.workers import Workers

Call = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Fields:
        title: its heading.
        text: Markdown, which shows the figures by their names.
        figures: PNGs by file name.
    """

    title: str
    text: str
    figures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Runner:
    """Runs experiments, or finds their results.

    Fields:
        files: folder of the experiment files.
        folder: keeps results and materials.
        quick: the small versions.
    """

    files: Path
    folder: Path
    laboratory: Laboratory
    workers: Workers
    tell: Tell
    quick: bool = False

    @property
    def cache(self) -> Path:
        """Folder of materials."""
        return (self.folder / "materials").resolve()

    def read(self, name: str, **changes: Any) -> Experiment:
        """The experiment of a file, with other settings in place of its own."""
        return replace(read_experiment(self.files / name, self.laboratory, quick=self.quick), **changes)

    def run(self, experiment: Experiment) -> Results:
        return run_sweep(experiment, self.laboratory, self.workers, self.folder, self.tell)

    def broadcast(self, name: str) -> BroadcastResults:
        broadcast = read_broadcast(self.files / name, quick=self.quick)
        return run_broadcast(broadcast, self.laboratory, self.workers, self.folder, self.tell)

    def finish(
        self,
        phase: str,
        function: Callable[..., Any],
        photos: Sequence[str],
        calls: Sequence[tuple[Any, ...]],
        *key: Any,
    ) -> list[Any]:
        """What a function of (laboratory, folder, *call) makes of each call, each for one of the photos.

        The results, plain values, are kept under phase, photo, call and whatever else is in the key.
        """
        jobs = [
            Job(key_of(VERSION, phase, photo_digest(photo), call, key), (self.laboratory, self.cache, *call))
            for photo, call in zip(photos, calls, strict=True)
        ]
        return finish_jobs(phase, jobs, function, Store(self.folder / "results"), self.workers, self.tell)


def command_of(name: str) -> str:
    """How a user runs an experiment file."""
    return f"`python -m channel_sim sweep {name} --workers 2`"


def target(wanted: str, measured: str) -> str:
    """What was to be reached, and what was."""
    return f"**Target:** {wanted}. **Measured:** {measured}."
