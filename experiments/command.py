"""`python -m channel_sim sweep`: an experiment file run, its rows, record, plots and page written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.broadcast import SOURCE
from experiments.broadcast_file import is_broadcast, read_broadcast
from experiments.broadcast_results import broadcast_csv, broadcast_page, draw_broadcast, run_broadcast
from experiments.experiment_file import read_experiment
from experiments.laboratory import Laboratory
from experiments.plots import draw_panels
from experiments.progress import telling
from experiments.record import RECORD, check_record, record_of
from experiments.results import csv_of
from experiments.sweep import run_sweep
from experiments.tables import summary_page
from experiments.workers import workers_at
from progressive.errors import UsageError
from progressive.files import check_writable, reason, write_result
from progressive.units import counted

FILES = ("cases.csv", RECORD, "summary.md")


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
    from experiments import broadcast, systems, tuning, validation

    return Laboratory(
        check_system=systems.check_system,
        identity=systems.identity,
        prepare=systems.prepare,
        tune=tuning.tune,
        run=systems.run,
        base_probability=systems.base_probability,
        broadcast=broadcast.try_broadcast,
        compare=validation.compare_photo,
        judges=systems.judges_for,
    )


def sweep_file(options: SweepOptions, laboratory: Laboratory | None = None) -> str:
    """Runs the experiment and writes everything; returns a line that says so.

    Raises UsageError before any work starts if the call or the file is wrong, RunError if workers die again and again.
    """
    laboratory = laboratory or our_laboratory()
    if is_broadcast(options.file):
        return _broadcast_file(options, laboratory)
    experiment = read_experiment(options.file, laboratory, quick=options.quick)
    check_record(options.output, experiment)
    with workers_at(options.dask, options.workers) as workers, telling() as tell:
        make_folder(options.output)
        results = run_sweep(experiment, laboratory, workers, options.output, tell)
    figures = draw_panels(experiment, results)
    contents = {
        "cases.csv": csv_of(results.rows),
        RECORD: record_of(experiment, laboratory.identities(experiment.sources), results.tuned),
        "summary.md": summary_page(experiment, results, list(figures)).encode(errors="backslashreplace"),
    }
    write_all(options.output, figures | contents)
    return f"{counted(len(results.rows), 'case')} -> {', '.join(str(options.output / name) for name in FILES)}"


def _broadcast_file(options: SweepOptions, laboratory: Laboratory) -> str:
    broadcast = read_broadcast(options.file, quick=options.quick)
    check_record(options.output, broadcast)
    with workers_at(options.dask, options.workers) as workers, telling() as tell:
        make_folder(options.output)
        results = run_broadcast(broadcast, laboratory, workers, options.output, tell)
    figures = {f"broadcast_{n}.png": draw_broadcast(results, c) for n, c in enumerate(broadcast.channels, 1)}
    contents = {
        "cases.csv": broadcast_csv(results),
        RECORD: record_of(broadcast, laboratory.identities([SOURCE])),
        "summary.md": broadcast_page(results, list(figures)).encode(errors="backslashreplace"),
    }
    write_all(options.output, figures | contents)
    return f"{counted(len(results.records), 'case')} -> {', '.join(str(options.output / name) for name in FILES)}"


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Each file whole; raises RunError."""
    for name, content in contents.items():
        write_result(folder / name, content)


def make_folder(folder: Path) -> None:
    """Raises UsageError if the results could not be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {reason(error)}") from error
    for name in FILES:
        check_writable(folder / name)
