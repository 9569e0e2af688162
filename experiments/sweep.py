"""A sweep: materials are prepared, parameters tuned, all cases tried; what is finished is kept and not done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.case import Case, Conditions, Objective, Parameters, System
from experiments.experiment import Experiment
from experiments.laboratory import Laboratory
from experiments.results import Results, figures_of, row_of
from experiments.store import Store, key_of, photo_digest
from experiments.workers import Workers

VERSION = 1
"""Raised when the same settings give other results than before: what was kept is then stale."""

Tell = Callable[[str, int, int], None]
"""Told of a phase, how many of its jobs are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Job:
    """A call whose result is kept under a key."""

    key: str
    call: tuple[Any, ...]


def run_sweep(experiment: Experiment, laboratory: Laboratory, workers: Workers, folder: Path, tell: Tell) -> Results:
    """All results of an experiment: the same bits for any workers, whatever was already there.

    Args:
        experiment: what to try.
        laboratory: how it is tried.
        workers: where.
        folder: keeps finished results and materials. On a cluster each machine has materials at the same path.
        tell: called at the beginning of each phase, and whenever something is finished.
    """
    store, keys = Store(folder / "results"), _Keys(experiment, laboratory)
    shared = laboratory, (folder / "materials").resolve()
    subjects = list(experiment.subjects())

    photos = (*experiment.tuning_photos, *experiment.photos)
    preparing = [
        Job(keys.prepared(source, photo, shared[1]), (*shared, source, photo))
        for photo in photos
        for source in experiment.sources
    ]
    finish_jobs("preparing", preparing, _prepare, store, workers, tell)

    choice = experiment.tuning_photos, experiment.objective, experiment.tuning_trials
    tuning = [Job(keys.tuned(*subject), (*shared, *subject, *choice)) for subject in subjects]
    found = finish_jobs("tuning", tuning, _tune, store, workers, tell)
    tuned = {subject: Parameters(**record) for subject, record in zip(subjects, found, strict=True)}

    cases = [
        Case(photo, system, conditions, tuned[system, conditions], experiment.trials, seed, experiment.measures)
        for system, conditions in subjects
        for photo in experiment.photos
        for seed in experiment.seeds
    ]
    trying = [Job(keys.tried(case), (*shared, case, experiment.outage_below_db)) for case in cases]
    records = finish_jobs("trying", trying, _try, store, workers, tell)
    return Results([row_of(case, record) for case, record in zip(cases, records, strict=True)], tuned)


class _Keys:
    """Of all that decides each result."""

    def __init__(self, experiment: Experiment, laboratory: Laboratory) -> None:
        self._experiment = experiment
        self._identities = laboratory.identities(experiment.sources)
        self._judges = laboratory.judges(experiment.measures)
        self._tuning_photos = [photo_digest(name) for name in experiment.tuning_photos]

    def prepared(self, source: str, photo: str, cache: Path) -> str:
        return key_of(VERSION, "prepared", self._identities[source], photo_digest(photo), str(cache))

    def tuned(self, system: System, conditions: Conditions) -> str:
        choice = self._tuning_photos, self._experiment.objective, self._experiment.tuning_trials
        return key_of(VERSION, "tuned", self._identities[system.source], system, conditions, choice)

    def tried(self, case: Case) -> str:
        told = asdict(case) | {"photo": photo_digest(case.photo)}
        told["measures"] = [self._judges, *case.measures]
        if not case.measures:
            del told["measures"]
        return key_of(VERSION, "tried", self._identities[case.system.source], told, self._experiment.outage_below_db)


def finish_jobs(
    phase: str, jobs: Sequence[Job], function: Callable[..., Any], store: Store, workers: Workers, tell: Tell
) -> list[Any]:
    """The result of each job, in their order, from the store or by a worker."""
    results = [store.get(job.key) for job in jobs]
    left = [number for number, result in enumerate(results) if result is None]
    done = len(jobs) - len(left)
    tell(phase, done, len(jobs))
    for number, result in workers.finish(function, [jobs[number].call for number in left]):
        job = left[number]
        store.put(jobs[job].key, result)
        results[job] = result
        done += 1
        tell(phase, done, len(jobs))
    return results


def _prepare(laboratory: Laboratory, cache: Path, source: str, photo: str) -> bool:
    laboratory.prepare(source, photo, cache)
    return True


def _tune(
    laboratory: Laboratory,
    cache: Path,
    system: System,
    conditions: Conditions,
    photos: Sequence[str],
    objective: Objective,
    trials: int,
) -> dict[str, Any]:
    return asdict(laboratory.tune(system, conditions, photos, objective, trials, 0, cache))


def _try(laboratory: Laboratory, cache: Path, case: Case, outage_below_db: float) -> dict[str, Any]:
    outcome = laboratory.run(case, cache)
    figures = figures_of(outcome, case.conditions.deadline_s, outage_below_db)
    return {"figures": asdict(figures), "psnr_over_time": outcome.psnr_over_time.tolist()}
