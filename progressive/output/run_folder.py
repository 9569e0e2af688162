"""A folder for each run, for programs that are started again and again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from pathlib import Path

TIME = "{time}"
"""Stands for when a run began, in the name of its folder."""


def folder_of_run(output: Path, now: datetime | None = None) -> Path:
    """The folder that `--output` names: `{time}` in it becomes the time in UTC, such as `20300131T180000Z`.

    A second run in the same second gets `20300131T180000Z_2`, so that no run writes into the folder of another one.
    Without `{time}` it is the same folder for every run.
    """
    if TIME not in str(output):
        return output
    stamp = f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    stamps = (f"{stamp}_{number}" if number > 1 else stamp for number in count(1))
    return next(path for each in stamps if not (path := Path(str(output).replace(TIME, each))).exists())
