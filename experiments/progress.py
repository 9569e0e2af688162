"""How far a sweep is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINES = 10
"""Of each phase, at most, without a terminal."""


@contextmanager
def telling() -> Iterator[Callable[[str, int, int], None]]:
    """Yields what is told of a phase, how many of its jobs are done, and how many there are."""
    if sys.stdout.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _Lines().tell


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        tasks = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                if done:
                    progress.console.print(_found(phase, done, total))
                tasks[phase] = progress.add_task(phase, total=total)
            progress.update(tasks[phase], completed=done)

        yield tell


class _Lines:
    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def tell(self, phase: str, done: int, total: int) -> None:
        share = LINES * done // total if total else LINES
        if phase not in self._told:
            sys.stdout.write((_found(phase, done, total) if done else f"{phase}: {total} to do") + "\n")
        elif share > self._told[phase]:
            sys.stdout.write(f"{phase}: {done} of {total}\n")
        self._told[phase] = share
        sys.stdout.flush()


def _found(phase: str, done: int, total: int) -> str:
    return f"{phase}: {done} of {total} are there from before"
