"""Quality against rate, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from progressive.evaluation.curves import Curve, Quality
from progressive.evaluation.summary import Row, Summary
from progressive.figures import figure_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Draw = Callable[["Axes"], None]

_LABELS: dict[Quality, str] = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM", "lpips": "LPIPS, lower is better"}
_DRAWN = 60
_MARKED = 15
"""So many points of a line are marked at most: more would hide it."""


def plot(curves: Sequence[Curve], summary: Summary) -> bytes:
    """Every measure that there is against rate, as a PNG: means over the photos.

    A stream is drawn through the rates at which it was cut; the peers at the rates of the table.
    """
    from matplotlib.figure import Figure

    measured = [q for q in _LABELS if q == "psnr" or any(v is not None for r in summary.means for v in getattr(r, q))]
    panels: list[Draw] = [_quality(quality, curves, summary) for quality in measured]
    if summary.recognition:
        panels.append(_recognised(summary))
    figure = Figure(figsize=(4.6 * len(panels) + 1.6, 4.2), layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes)
        axes.set(xlabel="bits a pixel, whole files")
        axes.grid(alpha=0.3)
    first = figure.axes[0]
    figure.legend(*first.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure_png(figure, dpi=100)


def stream_line(curves: Sequence[Curve], quality: Quality) -> tuple[Floats, Floats]:
    """Bits a pixel and quality of cuts of a stream, mean over the photos, two of [n]; straight between two cuts.

    It spans the rates at which every photo was cut. With one photo the points are the cuts themselves.
    """
    lines = [points for own in curves if len((points := _points(own, quality))[0])]
    if len(lines) < len(curves):
        return np.empty(0), np.empty(0)
    if len(lines) == 1:
        return lines[0]
    low, high = max(rates[0] for rates, _ in lines), min(rates[-1] for rates, _ in lines)
    if low > high:
        return np.empty(0), np.empty(0)
    rates = np.geomspace(low, high, _DRAWN)
    return rates, np.mean([np.interp(rates, *own) for own in lines], axis=0)


def _quality(quality: Quality, curves: Sequence[Curve], summary: Summary) -> Draw:
    def draw(axes: Axes) -> None:
        rates = [row.bpp for row in summary.means]
        for index, system in enumerate(summary.systems):
            own = [c for c in curves if c.system == system]
            if own and all(c.one_stream for c in own):
                found = stream_line(own, quality)
                marker = "o" if len(found[0]) <= _MARKED else ""
                axes.plot(*found, marker=marker, markersize=3, linewidth=2, label=system)
            else:
                heights = _heights(summary.means, quality, index)
                axes.plot(rates, heights, "o-", markersize=3, linewidth=1, label=system)
        axes.set(ylabel=_LABELS[quality])
        if quality == "ms_ssim" and axes.get_ylim()[1] > 1:
            axes.set_ylim(top=1)

    return draw


def _recognised(summary: Summary) -> Draw:
    def draw(axes: Axes) -> None:
        for system in summary.systems:
            found = [(r.bpp, 100 * r.top1.mean) for r in summary.recognition if r.system == system and r.bpp]
            axes.plot([bpp for bpp, _ in found], [share for _, share in found], "o-", markersize=3, linewidth=1)
        axes.set(ylabel="top-1 (%)")

    return draw


def _points(curve: Curve, quality: Quality) -> tuple[Floats, Floats]:
    measured = [(8 * p.bytes / curve.pixels, value) for p in curve.points if (value := getattr(p, quality)) is not None]
    rates, values = np.array(measured, np.float64).reshape(-1, 2).T
    return rates, values


def _heights(rows: Sequence[Row], quality: Quality, system: int) -> list[float]:
    values = (getattr(row, quality)[system] for row in rows)
    return [np.nan if value is None else value for value in values]
