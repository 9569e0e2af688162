"""The importance of a photo as one picture: heat maps over it of meaning, of detail, and of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.figures import figure_png
from progressive.semantics.blend import contextual_importance, otsu_threshold
from progressive.semantics.complexity import photo_complexity
from progressive.semantics.grids import Map, block_average

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 8
"""Pixels of the blocks on which both maps meet, as on the latent of a codec that divides by eight."""

_COLOURS = "inferno"
_INK, _MUTED = "#1f2328", "#6e7781"
_HEAD_IN, _FOOT_IN, _GAP_IN = 0.62, 0.42, 0.1


def draw_importance(photo: Photo, sim: Map, worth: Map | None, *, source: str, order: str) -> bytes:
    """Photo, SIM, LCM and the order in which a codec sends, side by side, as a PNG file's content 2000 pixels wide.

    The white line of the SIM encloses what Otsu's threshold calls salient. The last map shows ranks: of what the codec
    gains by a byte, or, for one that does not tell areas apart, of the blend of both maps (RMPGC Eq. 12).

    Args:
        photo: [H, W, 3].
        sim: semantic importance, 0..1, [H, W].
        source: what made the SIM, for its label.
        worth: what the codec gains, [H, W]; None for the blend.
        order: whose order that is, for its label.
    """
    cells = block_average(sim, SIDE)
    lcm = photo_complexity(photo, SIDE)
    first = contextual_importance(cells, lcm) if worth is None else worth
    width_in = 12.5
    panel_in = (width_in - 5 * _GAP_IN) / 4
    row_in = panel_in * min(max(photo.shape[0] / photo.shape[1], 0.3), 1.8)
    figure = Figure(figsize=(width_in, _HEAD_IN + row_in + _FOOT_IN), dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    height_in = float(figure.get_figheight())

    def panel(column: int, title: str, subtitle: str) -> Axes:
        left = (_GAP_IN + column * (panel_in + _GAP_IN)) / width_in
        axes = figure.add_axes((left, _FOOT_IN / height_in, panel_in / width_in, row_in / height_in))
        axes.set_axis_off()
        figure.text(left, 1 - 0.2 / height_in, title, size=13, weight="bold", color=_INK, va="center")
        figure.text(left, 1 - 0.45 / height_in, subtitle, size=9.5, color=_MUTED, va="center")
        return axes

    panel(0, "photo", f"{photo.shape[1]} x {photo.shape[0]} pixels").imshow(photo, interpolation="lanczos")
    meaning = panel(1, "SIM: meaning", f"by {source}")
    _draw_heat(meaning, photo, sim)
    if np.ptp(sim) > 0 and min(sim.shape) > 1:
        meaning.contour(sim, levels=[otsu_threshold(cells)], colors="white", linewidths=1.2, alpha=0.9)
    _draw_heat(panel(2, "LCM: detail", f"spread of the coefficients of {SIDE}x{SIDE} blocks"), photo, _spread(lcm))
    _draw_heat(panel(3, "what goes first", order if worth is not None else "SIM and LCM blended"), photo, ranks(first))
    _draw_scale(figure, panel_in / width_in, height_in)
    return figure_png(figure)


def ranks(values: Map) -> NDArray[np.float64]:
    """The share of positions with less importance, 0..1, [h, w] -> [h, w]; equals share the middle of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray((middles / max(values.size - 1, 1))[inverse].reshape(values.shape))


def _spread(lcm: Map) -> NDArray[np.float64]:
    """Standard deviations instead of variances, which a few blocks dominate: 0..1, the top hundredth saturated."""
    deviation = np.sqrt(lcm)
    return np.clip(deviation / (float(np.quantile(deviation, 0.99)) or 1.0), 0, 1)


def _draw_heat(axes: Axes, photo: Photo, values: Map) -> None:
    """Colours by value over the greyed photo; a map of blocks covers the whole blocks, the photo its own pixels."""
    height, width = photo.shape[:2]
    rows, columns = values.shape
    scale = 1 if values.shape == photo.shape[:2] else SIDE
    axes.imshow(photo.mean(axis=2), cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
    extent = (-0.5, columns * scale - 0.5, rows * scale - 0.5, -0.5)
    axes.imshow(values, cmap=_COLOURS, vmin=0, vmax=1, alpha=0.62, extent=extent, interpolation="bilinear")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_scale(figure: Figure, width: float, height_in: float) -> None:
    bottom, thickness = 0.16 / height_in, 0.1 / height_in
    axes = figure.add_axes((0.5 - width / 2, bottom, width, thickness))
    bar = figure.colorbar(ScalarMappable(cmap=_COLOURS), cax=axes, orientation="horizontal", ticks=[])
    bar.outline.set_visible(False)
    middle = bottom + thickness / 2
    for x, side, text in ((0.5 - width / 2 - 0.006, "right", "least"), (0.5 + width / 2 + 0.006, "left", "most")):
        figure.text(x, middle, text, size=9.5, color=_MUTED, ha=side, va="center")
