"""How the experiments' plots look: colours that colour-blind readers tell apart, names beside the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from experiments.case import System
from progressive.figures import figure_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
COLOURS_IN_FILE = 128
"""Enough for lines, bands and text, and small files."""

INK, GRID = "#1f2328", "#e6e8eb"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6e7781", "#8a6d00")
"""Of sources, in their order: Okabe and Ito's set, which readers of every colour vision tell apart."""

LINES: dict[str, Style] = {
    "planned": "-",
    "equal": "--",
    "none": ":",
    "retransmission": (0, (6, 1.5, 1, 1.5)),
}
"""Of deliveries."""

MARKERS = {"planned": "o", "equal": "s", "none": "^", "retransmission": "D"}
"""The same, at each place: of a plot of a single place there is nothing else."""

LABEL_HEIGHT = 0.058
"""Least distance between two names, in heights of the plot."""


Style = str | tuple[int, tuple[float, ...]]
Look = tuple[str, Style, float, str]
"""Of a line: colour, style, width, marker."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve with its interval, [n] each; nan where there is nothing, as of the interval of one photo."""

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike
    high: ArrayLike
    colour: str = COLOURS[0]
    style: Style = "-"
    width: float = 1.4
    marker: str = "o"


def looks_of(systems: Sequence[System]) -> Mapping[System, Look]:
    """Colour by source, or of a single source by system; line and marker by delivery; the first system drawn wider."""
    sources = list(dict.fromkeys(system.source for system in systems))
    return {
        system: (
            COLOURS[(number if len(sources) == 1 else sources.index(system.source)) % len(COLOURS)],
            LINES.get(system.delivery, "-"),
            2.2 if number == 0 else 1.3,
            MARKERS.get(system.delivery, "o"),
        )
        for number, system in enumerate(systems)
    }


def new_figure(width: float = 9.0, height: float = 3.8) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def draw_lines(
    axes: Axes, lines: Sequence[Line], *, names: bool = True, marked: bool = True, highest: float | None = None
) -> None:
    """Curves with their bands, and each one's name at its right end in its colour; nothing is above the `highest`."""
    for line in lines:
        if np.isfinite(line.low).any():
            axes.fill_between(line.x, line.low, line.high, color=line.colour, alpha=0.13, linewidth=0)
        axes.plot(
            line.x,
            line.y,
            color=line.colour,
            linestyle=line.style,
            linewidth=line.width,
            marker=line.marker if marked else "",
            markersize=3.5 if line.marker == "o" else 5,
            markerfacecolor=line.colour if line.marker == "o" else "none",  # two in a place are both seen
            clip_on=highest is None,
        )
    if highest is not None and axes.get_ylim()[1] > highest:
        axes.set_ylim(top=highest)
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    if names:
        _name_lines(axes, lines)


def _name_lines(axes: Axes, lines: Sequence[Line]) -> None:
    low, high = axes.get_ylim()
    ends = []
    for line in lines:
        y = np.asarray(line.y, np.float64)
        if np.isfinite(y).any():
            ends.append((float((y[np.isfinite(y)][-1] - low) / (high - low)), line))
    ends.sort(key=lambda end: end[0])
    for (end, line), place in zip(ends, spread_out([end for end, _ in ends], LABEL_HEIGHT), strict=True):
        axes.annotate(
            line.name,
            xy=(1.0, end),
            xytext=(1.035, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=line.colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
        )


def spread_out(places: Sequence[float], least: float) -> list[float]:
    """Rising places moved apart to at least this distance, each group of crowded ones about its mean."""
    groups: list[tuple[float, int]] = []  # centre, members
    for place in places:
        groups.append((place, 1))
        while len(groups) > 1:
            (before, n), (after, m) = groups[-2:]
            if after - before >= least * (n + m) / 2:
                break
            groups[-2:] = [((before * n + after * m) / (n + m), n + m)]
    return [centre + least * (i - (n - 1) / 2) for centre, n in groups for i in range(n)]


def png_of(figure: Figure) -> bytes:
    """A small PNG, the same for the same figure."""
    from PIL import Image

    small = BytesIO()
    with Image.open(BytesIO(figure_png(figure))) as image:
        image.convert("RGB").quantize(COLOURS_IN_FILE, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()
