"""The page of all comparisons, with a figure for each topic."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from channel_sim.validation import TOPICS
from channel_sim.validation.check import Check
from progressive.errors import RunError, UsageError
from progressive.figures import figure_png
from progressive.files import check_writable, reason, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "validation.md"
COLOURS = 64
"""Of the figures: enough for lines and text, and small files."""

INTRODUCTION = """\
# What the channel simulator draws, beside what theory says

Written by `python -m channel_sim validate`; every comparison is seeded, and tests assert that all of them hold.
"""


class Topic(Protocol):
    """One module of comparisons."""

    TITLE: str
    NOTE: str

    def checks(self) -> list[Check]: ...
    def draw(self, figure: Figure) -> None: ...


def write_page(folder: Path) -> str:
    """Makes all comparisons, writes the page and its figures, and sums up in a line.

    Raises UsageError before that if the folder cannot be written, RunError after it if a comparison does not hold.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {reason(error)}") from error
    check_writable(folder / PAGE)
    sections, figures, all_checks = [], {}, list[Check]()
    for name in TOPICS:
        topic = cast(Topic, importlib.import_module(f"channel_sim.validation.{name}"))
        checks = topic.checks()
        all_checks += checks
        figures[f"{name}.png"] = _drawn(topic)
        sections.append(f"## {topic.TITLE}\n\n{topic.NOTE.strip()}\n\n![{topic.TITLE}]({name}.png)\n\n{table(checks)}")
    for file, png in figures.items():
        write_atomically(folder / file, png)
    write_atomically(folder / PAGE, "\n".join([INTRODUCTION, *sections]).encode())
    if failed := [check.what for check in all_checks if not check.holds]:
        raise RunError(f"{len(failed)} of {len(all_checks)} comparisons do not hold: {'; '.join(failed)}")
    return f"{len(all_checks)} comparisons, all hold -> {folder / PAGE}"


def table(checks: Sequence[Check]) -> str:
    """The comparisons as a Markdown table."""
    rows = [
        f"| {check.what} | {check.measured:.5g} | {check.expected:.5g} | {check.tolerance:.2g} | {check.samples:,} "
        f"| {'yes' if check.holds else '**no**'} |"
        for check in checks
    ]
    head = "| what | measured | expected | tolerance | samples | holds |\n|-|-|-|-|-|-|"
    return "\n".join([head, *rows]) + "\n"


def _drawn(topic: Topic) -> bytes:
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
    topic.draw(figure)
    small = BytesIO()
    with Image.open(BytesIO(figure_png(figure))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
    return small.getvalue()
