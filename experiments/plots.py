"""The plots of an experiment: quality against loss, SNR or bandwidth, quality over time, what planning gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.case import TIMES, Conditions, System
from experiments.drawing import Line, Look, draw_lines, looks_of, new_figure, png_of
from experiments.experiment import Experiment, Panel
from experiments.results import Results
from progressive.evaluation.bootstrap import Estimate
from progressive.units import format_bandwidth, format_percent, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {"area": "PSNR until the deadline (dB)", "psnr": "PSNR at the deadline (dB)"}
FURTHER = {
    "ms_ssim": "MS-SSIM at the deadline",
    "lpips": "LPIPS at the deadline, lower is better",
    "top1": "share recognised at the deadline (top-1)",
}
"""Figures that are drawn where they were measured."""

HIGHEST = {"ms_ssim": 1.0, "top1": 1.0}
"""Where axes end."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn from left to right.

    Fields:
        title: with its unit.
        conditions: one a place.
        places: numbers, or 0, 1, .. where there are labels.
        labels: of the places; None for numbers.
        logarithmic: whether the numbers are.
    """

    title: str
    conditions: tuple[Conditions, ...]
    places: tuple[float, ...]
    labels: tuple[str, ...] | None = None
    logarithmic: bool = False


def axes_of(experiment: Experiment, assumed: float) -> dict[str, Axis]:
    """One for each panel; with several bandwidths one for each channel. By a name for files."""
    deadline_s, bandwidths = experiment.deadline_s, experiment.bandwidths_bps
    if len(bandwidths) > 1:
        return {
            f"{number}": Axis(
                f"bandwidth (kbit/s), {channel}",
                tuple(Conditions(channel, bandwidth, deadline_s, assumed) for bandwidth in bandwidths),
                tuple(bandwidth / 1000 for bandwidth in bandwidths),
                logarithmic=True,
            )
            for number, channel in enumerate(
                dict.fromkeys(point.channel for panel in experiment.panels for point in panel.points), 1
            )
        }
    return {
        f"{number}": _panel_axis(panel, bandwidths[0], deadline_s, assumed)
        for number, panel in enumerate(experiment.panels, 1)
    }


def _panel_axis(panel: Panel, bandwidth_bps: float, deadline_s: float, assumed: float) -> Axis:
    conditions = tuple(Conditions(p.channel, bandwidth_bps, deadline_s, assumed) for p in panel.points)
    values = [point.value for point in panel.points]
    if any(value is None for value in values):
        labels = tuple(point.label for point in panel.points)
        return Axis(panel.title, conditions, tuple(float(i) for i in range(len(labels))), labels)
    return Axis(panel.title, conditions, tuple(float(value) for value in values if value is not None))


def draw_panels(experiment: Experiment, results: Results) -> dict[str, bytes]:
    """All plots, PNGs by file name."""
    figures = {}
    for assumed in experiment.assumed:
        suffix = "" if assumed == 1 else f"_assumed_{assumed:g}"
        for name, axis in axes_of(experiment, assumed).items():
            figures[f"quality_{name}{suffix}.png"] = draw_quality(experiment.systems, axis, results)
            if planned_pairs(experiment.systems):
                figures[f"planning_{name}{suffix}.png"] = draw_planning(experiment.systems, axis, results)
    for number, conditions in enumerate(timelines(experiment), 1):
        figures[f"over_time_{number}.png"] = draw_over_time(experiment.systems, conditions, results)
    return figures


def timelines(experiment: Experiment) -> list[Conditions]:
    """The conditions whose quality over time is drawn: what is believed is true, bandwidths from the first on."""
    return [
        c for channel in experiment.over_time for c in experiment.conditions if c.channel == channel and c.assumed == 1
    ]


def draw_quality(systems: Sequence[System], axis: Axis, results: Results) -> bytes:
    """PSNR until the deadline and at it, beside each other; below them the further figures that were measured."""
    looks = looks_of(systems)
    titles = TITLES | {name: title for name, title in FURTHER.items() if results.measured(name)}
    rows = -(-len(titles) // 2)
    figure = new_figure(10.5, 4.2 * rows)
    panels = figure.subplots(rows, 2).flatten()
    for empty in panels[len(titles) :]:
        empty.set_axis_off()
    for axes, (figure_name, title) in zip(panels, titles.items(), strict=False):
        found = zip(*(results.compared(systems, c, figure_name) for c in axis.conditions), strict=True)
        lines = [_line(str(s), axis, own, looks[s]) for s, own in zip(systems, found, strict=True)]
        _set_axis(axes, axis)
        draw_lines(axes, lines, highest=HIGHEST.get(figure_name))
        axes.set_title(title, fontsize=10)
    return png_of(figure)


def planned_pairs(systems: Sequence[System]) -> list[tuple[System, System]]:
    """The planned systems with the same source under equal protection."""
    return [
        (system, equal)
        for system in systems
        if system.delivery == "planned" and (equal := System(system.source, "equal")) in systems
    ]


def draw_planning(systems: Sequence[System], axis: Axis, results: Results) -> bytes:
    """What planned protection gains over the best equal one, by source: of PSNR until the deadline and at it."""
    looks = looks_of(systems)
    figure = new_figure(10.5, 3.6)
    for axes, (figure_name, title) in zip(figure.subplots(1, 2), TITLES.items(), strict=True):
        lines = []
        for planned, equal in planned_pairs(systems):
            gains = [results.gain(planned, equal, c, figure_name) for c in axis.conditions]
            lines.append(_line(planned.source, axis, gains, looks[planned]))
        _set_axis(axes, axis)
        axes.axhline(0, color="#6e7781", linewidth=0.8)
        draw_lines(axes, lines)
        axes.set_title(f"planned above equal: {title}", fontsize=10)
    return png_of(figure)


def draw_over_time(systems: Sequence[System], conditions: Conditions, results: Results) -> bytes:
    """PSNR over time, mean over trials and photos; mid-grey until something comes."""
    looks = looks_of(systems)
    times_s = np.linspace(0, conditions.deadline_s, TIMES)
    found = results.over_time(systems, conditions)
    lines = [
        Line(str(s), times_s, mean, low, high, *looks[s]) for s, (mean, low, high) in zip(systems, found, strict=True)
    ]
    figure = new_figure(8.5, 4.6)
    axes = figure.subplots()
    draw_lines(axes, lines, marked=False)
    axes.set(xlabel="time since the first packet (s)", ylabel="PSNR (dB)")
    axes.set_title(in_words(conditions), fontsize=10)
    return png_of(figure)


def in_words(conditions: Conditions) -> str:
    """Such as `ep4 at 50 kbit/s within 10 s, 50% of the losses assumed`."""
    bandwidth, deadline = format_bandwidth(conditions.bandwidth_bps), format_time(conditions.deadline_s)
    words = f"{conditions.channel} at {bandwidth} within {deadline}"
    if conditions.assumed != 1:
        words += f", {format_percent(conditions.assumed)} of the losses assumed"
    return words


def _line(
    name: str,
    axis: Axis,
    estimates: Sequence[Estimate],
    look: Look,
) -> Line:
    mean, low, high = ([getattr(e, part) for e in estimates] for part in ("mean", "low", "high"))
    return Line(name, axis.places, mean, low, high, *look)


def _set_axis(axes: Axes, axis: Axis) -> None:
    axes.set(xlabel=axis.title)
    if axis.logarithmic:
        axes.set_xscale("log")
    if axis.labels is not None or axis.logarithmic:
        labels = axis.labels or [f"{place:g}" for place in axis.places]
        axes.set_xticks(axis.places, labels, minor=False)
        axes.minorticks_off()
