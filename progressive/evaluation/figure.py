"""Quality against rate, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from progressive.evaluation.curves import Curve, Quality
from progressive.evaluation.summary import Row, Summary, mean_rows, photo_rows
from progressive.figures import figure_png

_LABELS: dict[Quality, str] = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"}
_DRAWN = 60


def plot(curves: Sequence[Curve], summary: Summary) -> bytes:
    """Every measure that there is against rate, as a PNG: means over the photos.

    A stream is drawn finely, through all the rates at which it was cut; the peers at the rates of the table.
    """
    from matplotlib.figure import Figure

    rates = [row.bpp for row in summary.means]
    cut = {c.system for c in curves if c.one_stream}
    streams = {system: _stream_means(curves, system, rates) for system in cut}
    measured = [q for q in _LABELS if q == "psnr" or any(v is not None for r in summary.means for v in getattr(r, q))]
    figure = Figure(figsize=(4.6 * len(measured) + 1.6, 4.2), layout="constrained")
    for axes, quality in zip(figure.subplots(1, len(measured), squeeze=False)[0], measured, strict=True):
        for index, system in enumerate(summary.systems):
            if stream := streams.get(system):
                axes.plot([r.bpp for r in stream], _heights(stream, quality, 0), linewidth=2, label=system)
            else:
                heights = _heights(summary.means, quality, index)
                axes.plot(rates, heights, "o-", markersize=3, linewidth=1, label=system)
        axes.set(xlabel="bits a pixel, whole files", ylabel=_LABELS[quality])
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure_png(figure, dpi=100)


def _stream_means(curves: Sequence[Curve], system: str, rates: Sequence[float]) -> list[Row]:
    fine = sorted({*rates, *map(float, np.geomspace(min(rates), max(rates), _DRAWN))})
    own = [c for c in curves if c.system == system]
    return mean_rows(photo_rows(own, [system], fine), fine)


def _heights(rows: Sequence[Row], quality: Quality, system: int) -> list[float]:
    values = (getattr(row, quality)[system] for row in rows)
    return [np.nan if value is None else value for value in values]
