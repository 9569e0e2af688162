"""Whether a picture is shown by the deadline, for how much redundancy, and how far below a lossless link it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.case import Case, Conditions, System
from experiments.experiment import Experiment, Panel, Point
from experiments.laboratory import Laboratory
from experiments.page.runner import Runner, Section, command_of, target
from experiments.results import Results
from experiments.tables import interval, markdown, percent
from progressive.evaluation.bootstrap import estimate
from progressive.units import format_bandwidth, format_time

FILE = "planning_sweep.toml"
PATTERNS = ("ep1", "ep2", "ep3", "ep4", "ep5", "ep6")
WANTED = {"ep1": 0.999, "ep2": 0.999, "ep3": 0.999, "ep4": 0.999, "ep5": 0.97, "ep6": 0.99}
BELOW = {"ep2": (0.3, 0.10), "ep4": (1.2, 0.25)}
"""Decibels below the lossless link, and redundancy, that are wanted at most."""

PLANNED, PLAIN, AGAIN = System("rmpgc", "planned"), System("rmpgc", "none"), System("rmpgc", "retransmission")


def section(runner: Runner) -> Section:
    """Over EP1 to EP6 and a lossless link."""
    panel = Panel("packet error pattern", tuple(Point(channel, channel) for channel in ("none", *PATTERNS)))
    experiment = runner.read(FILE, panels=(panel,), systems=(PLANNED, PLAIN, AGAIN), assumed=(1.0,), objective="area")
    results = runner.run(experiment)
    for_the_end = runner.run(replace(experiment, objective="final"))
    on = {c.channel: c for c in experiment.conditions}
    exact = _exact(runner, experiment, results, on)
    lossless = results.values(PLAIN, on["none"], "psnr")
    below = {p: estimate(lossless - results.values(PLANNED, on[p], "psnr")) for p in PATTERNS}
    redundancy = {p: results.mean(PLANNED, on[p], "redundancy").mean for p in PATTERNS}
    least_below = {p: estimate(lossless - for_the_end.values(PLANNED, on[p], "psnr")) for p in PATTERNS}
    own_redundancy = {p: for_the_end.mean(PLANNED, on[p], "redundancy").mean for p in PATTERNS}
    again_below = {p: estimate(lossless - results.values(AGAIN, on[p], "psnr")) for p in PATTERNS}
    again_redundancy = {p: results.mean(AGAIN, on[p], "redundancy").mean for p in PATTERNS}
    rows = [
        [
            pattern,
            percent(float(np.mean(exact[pattern]))),
            percent(min(exact[pattern])),
            percent(results.mean(PLANNED, on[pattern], "base_complete").mean),
            percent(WANTED[pattern]),
            f"{results.mean(PLANNED, on[pattern], 'first_s').mean:.2f} s",
            percent(redundancy[pattern]),
            interval(below[pattern], sign=False),
            percent(own_redundancy[pattern]),
            interval(least_below[pattern], sign=False),
            percent(again_redundancy[pattern]),
            interval(again_below[pattern], sign=False),
        ]
        for pattern in PATTERNS
    ]
    header = (
        *("", "base complete, exact", "its least photo", "in trials", "wanted", "first picture"),
        *("redundancy", "PSNR below lossless (dB)", "redundancy, for the end", "PSNR below lossless (dB)"),
        *("sent again, with feedback", "PSNR below lossless (dB)"),
    )
    reached = [p for p in PATTERNS if np.mean(exact[p]) >= WANTED[p]]
    by_all = [p for p in reached if min(exact[p]) >= WANTED[p]]
    first = experiment.conditions[0]
    bandwidth, deadline = format_bandwidth(first.bandwidth_bps), format_time(first.deadline_s)
    trials = len(experiment.photos) * len(experiment.seeds) * experiment.trials
    text = f"""\
Planned protection at {bandwidth} within {deadline}, without any feedback: the probability that the whole base is there,
exactly from the Gilbert-Elliott chain, and its share in {trials:,} trials; the mean time of the first picture; bytes of
parity per byte of source packets; and how far PSNR ends below a lossless link with the same total bytes, all of them
source packets. That is said once more for plans for quality at the deadline, and for no parity but perfect feedback,
by which whatever is lost is sent again.

{
        target(
            "the base complete with 99.9 % on EP1 to EP4, 97 % on EP5, 99 % on EP6",
            f"reached in the mean on {_listed(reached)}, for every single photo on {_listed(by_all)}",
        )
    }

{
        " ".join(
            target(
                f"at {p.upper()} at most {most:g} dB below the lossless link with at most {percent(share)} redundancy",
                f"without feedback, planned for the deadline, {interval(least_below[p], sign=False)} dB with "
                f"{percent(own_redundancy[p])}; with perfect feedback {interval(again_below[p], sign=False)} dB with "
                f"{percent(again_redundancy[p])}",
            )
            for p, (most, share) in BELOW.items()
        )
    }

{markdown(header, rows)}

With {command_of(FILE)}, its panel holding these channels."""
    return Section("A picture is shown", text)


def _listed(patterns: list[str]) -> str:
    return ", ".join(patterns).upper() or "none"


def _exact(
    runner: Runner, experiment: Experiment, results: Results, on: dict[str, Conditions]
) -> dict[str, list[float]]:
    """Probability of the base at the deadline, for each photo of each pattern."""
    cases = [
        Case(photo, PLANNED, on[pattern], results.tuned[PLANNED, on[pattern]], experiment.trials, 0)
        for pattern in PATTERNS
        for photo in experiment.photos
    ]
    identity = runner.laboratory.identity(PLANNED.source)
    photos, calls = [case.photo for case in cases], [(case,) for case in cases]
    found = runner.finish("chain", _base_probability, photos, calls, identity)
    count = len(experiment.photos)
    return {pattern: found[number * count : (number + 1) * count] for number, pattern in enumerate(PATTERNS)}


def _base_probability(laboratory: Laboratory, cache: Path, case: Case) -> float:
    return laboratory.base_probability(case, cache)
