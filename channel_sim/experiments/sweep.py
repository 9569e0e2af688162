"""A sweep: materials are prepared, parameters tuned, all cases tried; what is finished is kept and not done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from channel_sim.experiments.case import Case, Conditions, Parameters, System
from channel_sim.experiments.experiment import Experiment
from channel_sim.experiments.laboratory import Laboratory
from channel_sim.experiments.results import Results, figures_of, row_of
from channel_sim.experiments.store import Store, key_of, photo_digest
from channel_sim.experiments.workers import Workers

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
    store, cache = Store(folder / "results"), (folder / "materials").resolve()
    identities = {system.source: laboratory.identity(system.source) for system in experiment.systems}
    tuning_digests = [photo_digest(name) for name in experiment.tuning_photos]

    def tuning_job(system: System, conditions: Conditions) -> Job:
        choice = (experiment.objective, experiment.tuning_trials)
        key = key_of(VERSION, "tuned", identities[system.source], system, conditions, tuning_digests, choice)
        return Job(key, (laboratory, system, conditions, experiment.tuning_photos, *choice, cache))

    def case_job(case: Case) -> Job:
        told = (asdict(case) | {"photo": photo_digest(case.photo)}, experiment.outage_below_db)
        key = key_of(VERSION, "tried", identities[case.system.source], *told)
        return Job(key, (laboratory, case, experiment.outage_below_db, cache))

    def preparing_jobs(photos: Sequence[str], systems: Sequence[System]) -> list[Job]:
        sources = dict.fromkeys(system.source for system in systems)
        return [
            Job(
                key_of(VERSION, "prepared", identities[source], photo_digest(photo), str(cache)),
                (laboratory, source, photo, cache),
            )
            for photo in photos
            for source in sources
        ]

    subjects = list(experiment.subjects())
    tuning = [tuning_job(*subject) for subject in subjects]
    finish_jobs(
        "preparing",
        preparing_jobs((*experiment.tuning_photos, *experiment.photos), experiment.systems),
        _prepare,
        store,
        workers,
        tell,
    )
    found = finish_jobs("tuning", tuning, _tune, store, workers, tell)
    tuned = {subject: Parameters(**record) for subject, record in zip(subjects, found, strict=True)}
    cases = [
        Case(photo, system, conditions, tuned[system, conditions], experiment.trials, seed)
        for system, conditions in subjects
        for photo in experiment.photos
        for seed in experiment.seeds
    ]
    records = finish_jobs("trying", [case_job(case) for case in cases], _try, store, workers, tell)
    return Results([row_of(case, record) for case, record in zip(cases, records, strict=True)], tuned)


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


def _prepare(laboratory: Laboratory, source: str, photo: str, cache: Path) -> bool:
    laboratory.prepare(source, photo, cache)
    return True


def _tune(
    laboratory: Laboratory,
    system: System,
    conditions: Conditions,
    photos: Sequence[str],
    objective: Any,
    trials: int,
    cache: Path,
) -> dict[str, Any]:
    return asdict(laboratory.tune(system, conditions, photos, objective, trials, 0, cache))


def _try(laboratory: Laboratory, case: Case, outage_below_db: float, cache: Path) -> dict[str, Any]:
    outcome = laboratory.run(case, cache)
    figures = figures_of(outcome, case.conditions.deadline_s, outage_below_db)
    return {"figures": asdict(figures), "psnr_over_time": outcome.psnr_over_time.tolist()}
