"""What came of an experiment: a row for each case, and what they say over all photos."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from experiments.case import Case, Conditions, Floats, Outcome, Parameters, System
from experiments.photo_names import short_name
from progressive.evaluation.bootstrap import CONFIDENCE, Estimate, estimate

LOW = 0.05
"""The share of trials below a low quantile."""

DRAWS = 2000
"""Of photos with replacement, for the bands over time."""

COLUMNS = {"redundancy": "redundancy_sent"}
"""Figures that have another name in tables, where the parameter of the same name stands beside them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one case, over its trials.

    Fields:
        psnr, ms_ssim: mean at the deadline, a lost picture being mid-grey; MS-SSIM None for small photos.
        psnr_low: PSNR that 5 % of the trials do not reach.
        area: mean PSNR over the time until the deadline.
        area_low: what 5 % of the trials do not reach of that.
        outage: share of the trials that end below the experiment's threshold or without a picture.
        shown: share that end with a picture.
        base_complete: share in which the whole base came.
        first_s: mean time to the first picture, the deadline where there is none.
        recognisable_s: mean time to MS-SSIM 0.8, the deadline where it is not reached; None for small photos.
        recognised: share that reach it; None for small photos.
        sent_bytes: mean, everything included.
        redundancy: bytes beyond those of the source packets / bytes of the source packets.
        lpips, top1: mean at the deadline: perceptual distance, and the share that is recognised; None where they were
            not measured.
    """

    psnr: float
    psnr_low: float
    ms_ssim: float | None
    area: float
    area_low: float
    outage: float
    shown: float
    base_complete: float
    first_s: float
    recognisable_s: float | None
    recognised: float | None
    sent_bytes: float
    redundancy: float
    lpips: float | None = None
    top1: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A case with its figures, and PSNR over time, mean over the trials."""

    case: Case
    figures: Figures
    psnr_over_time: tuple[float, ...]


def figures_of(outcome: Outcome, deadline_s: float, outage_below_db: float) -> Figures:
    """What an outcome says in the mean, at its low end, and how often it failed."""

    def by_deadline(times_s: Floats) -> float:
        return float(np.minimum(times_s, deadline_s).mean())

    return Figures(
        psnr=float(outcome.psnr.mean()),
        psnr_low=float(np.quantile(outcome.psnr, LOW)),
        ms_ssim=_mean(outcome.ms_ssim),
        area=float(outcome.area.mean()),
        area_low=float(np.quantile(outcome.area, LOW)),
        outage=float((~outcome.shown | (outcome.psnr < outage_below_db)).mean()),
        shown=float(outcome.shown.mean()),
        base_complete=float(outcome.base_complete.mean()),
        first_s=by_deadline(outcome.first_s),
        recognisable_s=by_deadline(outcome.recognisable_s),
        recognised=float((outcome.recognisable_s <= deadline_s).mean()),
        sent_bytes=float(outcome.sent_bytes.mean()),
        redundancy=float(outcome.redundancy),
        lpips=_mean(outcome.lpips),
        top1=_mean(outcome.top1),
    )


def row_of(case: Case, record: dict[str, Any]) -> Row:
    """From what the store keeps, `figures` and `psnr_over_time`."""
    figures = Figures(**record["figures"])
    if figures.ms_ssim is None:
        figures = replace(figures, recognisable_s=None, recognised=None)
    return Row(case, figures, tuple(record["psnr_over_time"]))


class Results:
    """All rows of an experiment, asked by system and conditions."""

    def __init__(self, rows: Sequence[Row], tuned: dict[tuple[System, Conditions], Parameters]) -> None:
        self.rows = tuple(rows)
        self.tuned = tuned
        self._by_subject: dict[tuple[System, Conditions], dict[str, list[Row]]] = {}
        for row in rows:
            subject = self._by_subject.setdefault((row.case.system, row.case.conditions), {})
            subject.setdefault(row.case.photo, []).append(row)

    def values(self, system: System, conditions: Conditions, figure: str) -> Floats:
        """A figure of each photo, mean over the groups of trials, [photos]; nan where it could not be measured."""
        photos = self._by_subject[system, conditions].values()
        return np.array([np.mean([_number(getattr(row.figures, figure)) for row in rows]) for rows in photos])

    def measured(self, figure: str) -> bool:
        """Whether a figure is known of all cases."""
        return all(getattr(row.figures, figure) is not None for row in self.rows)

    def mean(self, system: System, conditions: Conditions, figure: str) -> Estimate:
        """Over the photos, with its interval."""
        return estimate(self.values(system, conditions, figure))

    def gain(self, ours: System, other: System, conditions: Conditions, figure: str) -> Estimate:
        """Of one system over another, photo by photo: the interval is that of the paired differences."""
        return estimate(self.values(ours, conditions, figure) - self.values(other, conditions, figure))

    def compared(self, systems: Sequence[System], conditions: Conditions, figure: str) -> list[Estimate]:
        """Means of systems with intervals by which they can be told apart: without what photos differ by for all."""
        return [estimate(values) for values in without_photos([self.values(s, conditions, figure) for s in systems])]

    def over_time(self, systems: Sequence[System], conditions: Conditions) -> list[tuple[Floats, Floats, Floats]]:
        """PSNR over time of each system, mean over the photos, and the ends of intervals as of `compared`, [TIMES]."""
        values = [
            [np.mean([row.psnr_over_time for row in rows], axis=0) for rows in self._by_subject[s, conditions].values()]
            for s in systems
        ]
        return [self._band(own) for own in without_photos(values)]

    @staticmethod
    def _band(values: Floats) -> tuple[Floats, Floats, Floats]:
        if len(values) == 1:
            nothing = np.full(values.shape[1:], np.nan)
            return values[0], nothing, nothing
        draws = np.random.default_rng(0).multinomial(len(values), np.full(len(values), 1 / len(values)), DRAWS)
        low, high = np.quantile(draws @ values / len(values), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2), axis=0)
        return values.mean(axis=0), low, high


def without_photos(values: Sequence[ArrayLike]) -> Floats:
    """Values of systems and photos, [systems, photos, ..], less what a photo is above the mean photo for all systems.

    The means over the photos stay (Cousineau, "Confidence intervals in within-subject designs", 2005).
    """
    table = np.array(values, np.float64)
    return np.asarray(table - table.mean(axis=0) + table.mean(axis=(0, 1)))


def csv_of(rows: Sequence[Row]) -> bytes:
    """A line for each case: what was tried, the parameters, the figures; empty where there is none."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [f.name for kind in (Conditions, Parameters) for f in fields(kind)]
    figures = [COLUMNS.get(f.name, f.name) for f in fields(Figures)]
    writer.writerow(["photo", "source", "delivery", "seed", "trials", *names, *figures])
    for row in rows:
        case = row.case
        values = [v for part in (case.conditions, case.parameters, row.figures) for v in asdict(part).values()]
        writer.writerow(
            [short_name(case.photo), case.system.source, case.system.delivery, case.seed, case.trials]
            + ["" if value is None else value for value in values]
        )
    return file.getvalue().encode()


def _mean(values: Floats | None) -> float | None:
    """None for what was not, or could not be, measured."""
    return None if values is None or np.isnan(values).any() else float(values.mean())


def _number(value: float | None) -> float:
    return np.nan if value is None else value
