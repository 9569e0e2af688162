"""`python -m channel_sim experiments`: all ready experiments, and the page of what they say."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from experiments.laboratory import Laboratory
from experiments.page import base_layer, baselines, broadcasts, estimates, planning, sweeps
from experiments.page.runner import Runner, Section
from experiments.progress import telling
from experiments.workers import workers_at
from progressive import __version__
from progressive.errors import UsageError
from progressive.files import check_writable, reason, write_atomically

PAGE = "experiments.md"
FIGURES = "experiments"
SECTIONS: tuple[Callable[[Runner], Section], ...] = (planning.section, base_layer.section, baselines.section)
LATER: tuple[Callable[[Runner], Section], ...] = (broadcasts.section, estimates.section)

INTRODUCTION = """\
# Experiments: how the whole system stands

Written by `{command}`; every figure and every sentence with one is computed from the runs. The experiments are files
in `experiments/ready/`, each of which runs by itself by the command below its plots. Everything is seeded:
the same versions give the same figures for any number of workers. SHA-256 of the weights of `rmpgc`: {identity}..;
progressive {version}, torch {torch}, Python {python}.
"""


def write_page(
    files: Path,
    output: Path,
    folder: Path,
    laboratory: Laboratory,
    *,
    workers: int = 1,
    dask: str | None = None,
    quick: bool = False,
) -> str:
    """Runs everything, or finds it in the folder, writes the page and its figures; returns a line that says so.

    Raises UsageError before any work if a file is wrong, or the page or the folder cannot be written.
    """
    with workers_at(dask, workers) as those, telling() as tell:
        runner = Runner(files, folder, laboratory, those, tell, quick)
        _read_all(runner)
        _check(output, folder)
        sections = [
            *(section(runner) for section in SECTIONS),
            *sweeps.sections(runner),
            *(section(runner) for section in LATER),
        ]
    for section in sections:
        for name, png in section.figures.items():
            write_atomically(output / FIGURES / name, png)
    introduction = INTRODUCTION.format(
        command="make experiments-quick" if quick else "make experiments",
        identity=laboratory.identity("rmpgc").split()[2][:16],
        version=__version__,
        torch=metadata.version("torch"),
        python=platform.python_version(),
    )
    texts = [f"## {section.title}\n\n{section.text}\n" for section in sections]
    page = "\n".join([introduction, *texts]).replace("](", f"]({FIGURES}/")
    write_atomically(output / PAGE, page.encode())
    figures = sum(len(section.figures) for section in sections)
    return f"{len(sections)} sections, {figures} plots -> {output / PAGE}"


def _read_all(runner: Runner) -> None:
    """Whatever is wrong in a file is told before the first experiment runs."""
    for name in (planning.FILE, baselines.FILE, *sweeps.FILES):
        runner.read(name)


def _check(output: Path, folder: Path) -> None:
    for place in (output / FIGURES, folder):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write {place}: {reason(error)}") from error
    check_writable(output / PAGE)
