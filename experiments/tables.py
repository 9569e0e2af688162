"""The figures of an experiment as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from experiments.case import Conditions
from experiments.experiment import Experiment
from experiments.plots import in_words
from experiments.results import Results
from progressive.evaluation.bootstrap import Estimate
from progressive.units import format_decibel

NOTE = """\
Means over {photos} photos of {trials} trials each, with 95 % intervals (paired bootstrap over photos where two systems
are compared). Where nothing has come the picture is mid-grey, and times to a picture count as the deadline. `5 %`: what
the worst twentieth of a photo's trials does not reach. Outage: trials that end below {outage} or without a picture.
Bands in plots are without what a photo adds for all systems: those that do not overlap differ."""


def summary_page(experiment: Experiment, results: Results, figures: Sequence[str]) -> str:
    """A section for each of the conditions, then the plots."""
    parts = [f"# {experiment.title}", note_of(experiment)]
    parts += [f"## {in_words(c)}\n\n{systems_table(experiment, results, c)}" for c in experiment.conditions]
    parts += [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in figures]
    return "\n\n".join(parts) + "\n"


def note_of(experiment: Experiment) -> str:
    return NOTE.format(
        photos=len(experiment.photos),
        trials=f"{experiment.trials * len(experiment.seeds):,}",
        outage=format_decibel(experiment.outage_below_db),
    )


def systems_table(experiment: Experiment, results: Results, conditions: Conditions) -> str:
    """Every system under the same conditions, and how far the first one is ahead of it."""
    first = experiment.systems[0]
    header = (
        *("system", "PSNR until deadline", "5 %", f"{first} ahead by", "PSNR at deadline", "5 %", "outage"),
        *("with a picture", "to MS-SSIM 0.8", "bytes", "redundancy"),
    )
    rows = []
    for system in experiment.systems:

        def mean(figure: str, system: object = system) -> float:
            return float(results.mean(system, conditions, figure).mean)  # type: ignore[arg-type]

        gain = "" if system == first else interval(results.gain(first, system, conditions, "area"))
        rows.append(
            [
                str(system),
                interval(results.mean(system, conditions, "area"), sign=False),
                f"{mean('area_low'):.2f}",
                gain,
                f"{mean('psnr'):.2f}",
                f"{mean('psnr_low'):.2f}",
                percent(mean("outage")),
                percent(mean("shown")),
                _seconds(mean("recognisable_s")),
                f"{mean('sent_bytes'):,.0f}",
                percent(mean("redundancy")),
            ]
        )
    return markdown(header, rows)


def _seconds(time_s: float) -> str:
    """Such as `1.30 s`, or `-` for what could not be measured."""
    return "-" if math.isnan(time_s) else f"{time_s:.2f} s"


def interval(estimate: Estimate, *, sign: bool = True) -> str:
    """Such as `+1.20 (0.95 to 1.43)`."""
    mean = f"{estimate.mean:+.2f}" if sign else f"{estimate.mean:.2f}"
    return f"{mean} ({estimate.low:.2f} to {estimate.high:.2f})"


def percent(share: float) -> str:
    """Such as `97.3 %`, with more digits close to 0 and to 100."""
    value = 100 * share
    if value == 100:
        return "100 %"
    digits = 3 if 99.95 <= value < 100 else 2 if value < 1 or 99 < value < 100 else 1
    return f"{value:.{digits}f} %"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "-|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
