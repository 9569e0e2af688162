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

FURTHER = {"ms_ssim": "MS-SSIM", "lpips": "LPIPS", "top1": "top-1"}
"""Columns of figures at the deadline, which are there where they were measured."""

NOTE = """\
{means} Where nothing has come the picture is mid-grey, and times to a picture count as the deadline. `5 %`: what
the worst twentieth of a photo's trials does not reach. Outage: trials that end below {outage} or without a picture."""

SEVERAL_PHOTOS = """\
Means over {photos} photos of {trials} trials each, with 95 % intervals (paired bootstrap over photos where two systems
are compared)."""

ONE_PHOTO = "Means over {trials} trials of one photo (n = 1): no intervals, as nothing is known of how photos differ."

BANDS = "Bands in plots are without what a photo adds for all systems: those that do not overlap differ."

JUDGED = """\
LPIPS and top-1 are those of the picture of first packets with the same PSNR. Top-1: the photo is recognised as what
`labels.tsv` beside it says, or else as what the original is taken for."""


def summary_page(experiment: Experiment, results: Results, figures: Sequence[str]) -> str:
    """A section for each of the conditions, then the plots."""
    parts = [f"# {experiment.title}", note_of(experiment)]
    parts += [f"## {in_words(c)}\n\n{systems_table(experiment, results, c)}" for c in experiment.conditions]
    parts += [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in figures]
    return "\n\n".join(parts) + "\n"


def note_of(experiment: Experiment) -> str:
    photos = len(experiment.photos)
    means = (ONE_PHOTO if photos == 1 else SEVERAL_PHOTOS).format(
        photos=photos, trials=f"{experiment.trials * len(experiment.seeds):,}"
    )
    note = [NOTE.format(means=means, outage=format_decibel(experiment.outage_below_db))]
    note += [BANDS] * (photos > 1) + [JUDGED] * bool(experiment.measures)
    return "\n".join(note)


def systems_table(experiment: Experiment, results: Results, conditions: Conditions) -> str:
    """Every system under the same conditions, and how far the first one is ahead of it."""
    first = experiment.systems[0]
    further = {name: words for name, words in FURTHER.items() if results.measured(name)}
    header = (
        *("system", "PSNR until deadline", "5 %", f"{first} ahead by", "PSNR at deadline", "5 %", *further.values()),
        *("outage", "with a picture", "to MS-SSIM 0.8", "bytes", "redundancy"),
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
                *(percent(mean(name)) if name == "top1" else f"{mean(name):.4f}" for name in further),
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
    """Such as `+1.20 (+0.95 to +1.43)`."""
    return estimate.in_words("+.2f" if sign else ".2f")


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
