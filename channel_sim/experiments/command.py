"""`python -m channel_sim sweep`: an experiment file run, its rows, record, plots and page written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from channel_sim.experiments.experiment_file import read_experiment
from channel_sim.experiments.laboratory import Laboratory
from channel_sim.experiments.plots import draw_panels
from channel_sim.experiments.record import record_of
from channel_sim.experiments.results import csv_of
from channel_sim.experiments.sweep import run_sweep
from channel_sim.experiments.tables import summary_page
from channel_sim.experiments.telling import telling
from channel_sim.experiments.workers import workers_at
from progressive.errors import UsageError
from progressive.files import check_writable, reason, write_atomically

FILES = ("cases.csv", "record.json", "summary.md")


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How an experiment file is run.

    Fields:
        file: the experiment.
        output: folder for all that is written, what is finished included.
        workers: processes on this machine.
        dask: address of a Dask scheduler whose workers are used instead; None for none.
        quick: what the file's table `quick` says takes the place of its other keys.
    """

    file: Path
    output: Path
    workers: int = 1
    dask: str | None = None
    quick: bool = False


def our_laboratory() -> Laboratory:
    """The systems of this project."""
    from channel_sim.experiments import systems

    return Laboratory(systems.check_system, systems.identity, systems.prepare, systems.tune, systems.run)


def sweep_file(options: SweepOptions, laboratory: Laboratory | None = None) -> str:
    """Runs the experiment and writes everything; returns a line that says so.

    Raises UsageError before any work starts if the call or the file is wrong, RunError if workers die again and again.
    """
    laboratory = laboratory or our_laboratory()
    experiment = read_experiment(options.file, laboratory, quick=options.quick)
    make_folder(options.output)
    with workers_at(options.dask, options.workers) as workers, telling() as tell:
        results = run_sweep(experiment, laboratory, workers, options.output, tell)
    figures = draw_panels(experiment, results)
    for name, png in figures.items():
        write_atomically(options.output / name, png)
    identities = {system.source: laboratory.identity(system.source) for system in experiment.systems}
    pages = {
        "cases.csv": csv_of(results.rows),
        "record.json": record_of(experiment, results.tuned, identities),
        "summary.md": summary_page(experiment, results, list(figures)).encode(),
    }
    for name, content in pages.items():
        write_atomically(options.output / name, content)
    return f"{len(results.rows)} cases -> {', '.join(str(options.output / name) for name in FILES)}"


def make_folder(folder: Path) -> None:
    """Raises UsageError if the results could not be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {reason(error)}") from error
    for name in FILES:
        check_writable(folder / name)
