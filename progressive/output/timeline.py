"""The timeline of a run as one figure: a row of its pictures over quality and bytes against time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.figures import figure_png
from progressive.output.refinement import Refinement
from progressive.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = 6
_INK, _MUTED, _GRID, _QUALITY, _BYTES = "#1f2328", "#6e7781", "#e6e8eb", "#1a5fb4", "#dfe7f2"


def draw_timeline(shown: Sequence[tuple[Refinement, Photo]], *, title: str = "") -> bytes:
    """The figure as a PNG file's content, 1600 pixels wide.

    Args:
        shown: at least one refinement with its picture, in the order of time.
        title: one line above the pictures; none if empty.
    """
    refinements = [refinement for refinement, _ in shown]
    chosen = choose_pictures(refinements, PICTURES)
    aspect = max(picture.shape[0] / picture.shape[1] for _, picture in shown)
    row_height = 10 / PICTURES * min(max(aspect, 0.4), 1.6)
    head, caption, plot, foot = (0.42 if title else 0.1), 0.55, 2.45, 0.55
    height = head + row_height + caption + plot + foot
    figure = Figure(figsize=(10, height), dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    if title:
        figure.text(0.012, 1 - 0.24 / height, title, size=12, weight="bold", color=_INK, va="center", parse_math=False)
    for column, index in enumerate(chosen):
        left = (column + (PICTURES - len(chosen)) / 2) / PICTURES
        bottom = (foot + plot + caption) / height
        box = (left + 0.006, bottom, 1 / PICTURES - 0.012, row_height / height)
        _draw_picture(figure.add_axes(box), shown[index][1], refinements[index], column + 1)
    _draw_curves(figure.add_axes((0.075, foot / height, 0.855, plot / height)), refinements, chosen)
    return figure_png(figure)


def choose_pictures(refinements: Sequence[Refinement], count: int) -> list[int]:
    """Indices of up to `count` refinements, first and last included, about equally spaced in quality.

    Without PSNR, in the logarithm of the bytes, which quality follows.
    """
    if len(refinements) <= count:
        return list(range(len(refinements)))
    psnr = _finite_psnr(refinements)
    progress = psnr if np.isfinite(psnr).all() else np.log1p([refinement.bytes for refinement in refinements])
    chosen = [0]
    for rank in range(1, count):
        first, last = chosen[-1] + 1, len(refinements) - count + rank
        wanted = progress[0] + (progress[-1] - progress[0]) * rank / (count - 1)
        chosen.append(first + int(np.argmin(np.abs(progress[first : last + 1] - wanted))))
    return [*chosen[:-1], len(refinements) - 1]


def _finite_psnr(refinements: Sequence[Refinement]) -> NDArray[np.float64]:
    """The PSNR of each in dB, measured or expected, NaN where there is none to draw."""
    values = (refinement.decibels for refinement in refinements)
    return np.array([v if v is not None and math.isfinite(v) else math.nan for v in values])


def _byte_unit(largest: float) -> tuple[float, str]:
    """One unit for a whole axis, and its bytes."""
    return next(
        (scale, unit) for scale, unit in ((1e6, "MB"), (1e3, "kB"), (1.0, "B")) if largest >= scale or scale == 1
    )


def _draw_picture(axes: Axes, picture: Photo, refinement: Refinement, number: int) -> None:
    axes.imshow(picture, interpolation="lanczos")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_anchor("S")
    about = "about " if refinement.psnr is None else ""
    quality = "" if refinement.decibels is None else f"  {about}{refinement.decibels:.1f} dB"
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
    axes.annotate(
        f"{number}",
        (0, 0),
        (7, -14),
        **below,
        size=8,
        weight="bold",
        color="white",
        ha="center",
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": _QUALITY, "edgecolor": "none"},
    )
    axes.annotate(f"{refinement.time_s:.2f} s{quality}", (0, 0), (19, -6), **below, size=10, weight="bold", color=_INK)
    axes.annotate(format_size(refinement.bytes, digits=3), (0, 0), (19, -21), **below, size=9, color=_MUTED)


def _draw_curves(axes: Axes, refinements: Sequence[Refinement], chosen: Sequence[int]) -> None:
    times = np.array([refinement.time_s for refinement in refinements])
    received = np.array([refinement.bytes for refinement in refinements], dtype=float)
    psnr = _finite_psnr(refinements)
    with_quality = bool(np.isfinite(psnr).any())
    end = times[-1] * 1.03 or 1.0
    byte_axes = axes.twinx() if with_quality else axes
    step_times, step_bytes = np.append(times, end), np.append(received, received[-1])
    byte_axes.fill_between(step_times, step_bytes, step="post", color=_BYTES, linewidth=0)
    byte_axes.set_ylim(0, max(received[-1], 1) * 1.12)
    byte_axes.yaxis.set_major_locator(MaxNLocator(4))
    scale, unit = _byte_unit(received[-1])
    byte_axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / scale:g} {unit}"))
    marked = psnr if with_quality else received
    if with_quality:
        axes.set_zorder(byte_axes.get_zorder() + 1)
        axes.patch.set_visible(False)
        byte_axes.set_ylabel("received", color=_MUTED, size=10)
        measured = any(refinement.psnr is not None for refinement in refinements)
        axes.set_ylabel("PSNR (dB)" if measured else "expected PSNR (dB)", color=_QUALITY, size=10)
        low, high = np.nanmin(psnr), np.nanmax(psnr)
        margin = max(high - low, 1.0) * 0.18
        axes.set_ylim(low - margin, high + margin)
    else:
        axes.set_ylabel("received", color=_QUALITY, size=10)
    axes.step(step_times, np.append(marked, marked[-1]), where="post", color=_QUALITY, linewidth=2)
    centres = times[list(chosen)], marked[list(chosen)]
    axes.scatter(*centres, s=130, color=_QUALITY, edgecolor="white", zorder=3, clip_on=False)
    for number, index in enumerate(chosen, 1):
        if np.isfinite(marked[index]):
            centre = (times[index], marked[index])
            axes.annotate(
                f"{number}", centre, size=8, weight="bold", color="white", ha="center", va="center_baseline", zorder=4
            )
    axes.set_xlim(-0.015 * end, end)
    axes.set_xlabel("seconds since the first packet", color=_MUTED, size=10)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for each in {axes, byte_axes}:
        each.tick_params(colors=_MUTED, labelsize=9, length=0)
        each.spines[:].set_visible(False)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(_GRID)
