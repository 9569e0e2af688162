"""What an evaluation's curves say about all photos: means at equal rate, BD-rates, recognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.evaluation.bd_rate import BdRate, bd_rate, decibels
from progressive.evaluation.bootstrap import Estimate, estimate
from progressive.evaluation.curves import Curve, Point, Quality

BD_QUALITIES: tuple[Quality, ...] = ("psnr", "ms_ssim")


@dataclass(frozen=True, slots=True)
class Row:
    """Quality at one rate, by system; None where a system has no file that small, or not the measure.

    Fields:
        photo: name, or "mean".
        psnr, ms_ssim, lpips: in the order of the systems.
        used_bpp: of the files with these PSNRs.
        reached: of how many photos each system has a picture.
        photos: how many there are.
    """

    photo: str
    bpp: float
    psnr: tuple[float | None, ...]
    ms_ssim: tuple[float | None, ...]
    lpips: tuple[float | None, ...]
    used_bpp: tuple[float | None, ...]
    reached: tuple[int, ...]
    photos: int


@dataclass(frozen=True, slots=True)
class PhotoBdRate:
    """Of the codec's stream beside a peer's files, for one photo; MS-SSIM's range is in dB."""

    photo: str
    peer: str
    quality: Quality
    bd_rate: BdRate


@dataclass(frozen=True, slots=True)
class Recognition:
    """How well a system's pictures at a rate are recognised; it has one of every labelled photo there.

    Fields:
        bpp: None for all its rates pooled.
        top1, probability: share of first choices that are right, and mean probability of the true class, 0..1.
        top1_gain, probability_gain: the codec's minus this system's, paired by photo; None for the codec itself.
    """

    system: str
    bpp: float | None
    top1: Estimate
    probability: Estimate
    top1_gain: Estimate | None
    probability_gain: Estimate | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All that the tables and the figure show; the first system, the codec if there is one, is beside all others."""

    systems: tuple[str, ...]
    rows: tuple[Row, ...]
    means: tuple[Row, ...]
    bd_rates: Mapping[tuple[str, Quality], Estimate]
    bd_rates_by_photo: tuple[PhotoBdRate, ...]
    recognition: tuple[Recognition, ...]


def summarise(curves: Sequence[Curve], systems: Sequence[str], rates: Sequence[float], seed: int) -> Summary:
    """Means at these rates, in bits a pixel, and BD-rates of the first system beside each other one."""
    rows = photo_rows(curves, systems, rates)
    by_photo = photo_bd_rates(curves, systems)
    bd_rates: dict[tuple[str, Quality], Estimate] = {}
    for peer in systems[1:]:
        for quality in BD_QUALITIES:
            percents = [b.bd_rate.percent for b in by_photo if (b.peer, b.quality) == (peer, quality)]
            if percents:
                bd_rates[peer, quality] = estimate(percents, seed)
    recognised = tuple(recognition(curves, systems, rates, seed))
    return Summary(tuple(systems), tuple(rows), tuple(mean_rows(rows, rates)), bd_rates, tuple(by_photo), recognised)


def photo_rows(curves: Sequence[Curve], systems: Sequence[str], rates: Sequence[float]) -> list[Row]:
    """One row for each photo and rate."""
    by_key = {(c.photo, c.system): c for c in curves}
    rows = []
    for photo in dict.fromkeys(c.photo for c in curves):
        of_photo = [by_key[photo, system] for system in systems]
        for bpp in rates:
            chosen = [c.best_within(bpp) for c in of_photo]
            used = tuple(None if p is None else 8 * p.bytes / c.pixels for p, c in zip(chosen, of_photo, strict=True))
            psnr, ms_ssim, lpips = (
                tuple(_value(c.best_within(bpp, quality), quality) for c in of_photo)
                for quality in ("psnr", "ms_ssim", "lpips")
            )
            rows.append(Row(photo, bpp, psnr, ms_ssim, lpips, used, tuple(int(p is not None) for p in chosen), 1))
    return rows


def mean_rows(rows: Sequence[Row], rates: Sequence[float]) -> list[Row]:
    """The mean over the photos at each rate; a system that does not have all of them there has none."""
    means = []
    for bpp in rates:
        at_rate = [r for r in rows if r.bpp == bpp]
        psnr, ms_ssim, lpips, used = (
            tuple(_mean(column) for column in zip(*(getattr(r, name) for r in at_rate), strict=True))
            for name in ("psnr", "ms_ssim", "lpips", "used_bpp")
        )
        reached = tuple(map(sum, zip(*(r.reached for r in at_rate), strict=True)))
        means.append(Row("mean", bpp, psnr, ms_ssim, lpips, used, reached, len(at_rate)))
    return means


def photo_bd_rates(curves: Sequence[Curve], systems: Sequence[str]) -> list[PhotoBdRate]:
    """BD-rates of the first system beside each other one, photo by photo, where both reach a common quality."""
    by_key = {(c.photo, c.system): c for c in curves}
    ours, *peers = systems
    found = []
    for photo in dict.fromkeys(c.photo for c in curves):
        for peer in peers:
            for quality in BD_QUALITIES:
                tested, anchor = (_rate_points(by_key[photo, system], quality) for system in (ours, peer))
                if delta := bd_rate(tested, anchor):
                    found.append(PhotoBdRate(photo, peer, quality, delta))
    return found


def recognition(
    curves: Sequence[Curve], systems: Sequence[str], rates: Sequence[float], seed: int
) -> list[Recognition]:
    """How the pictures of highest PSNR within each rate are recognised, and pooled over the rates that a system has."""
    by_key = {(c.photo, c.system): c for c in curves}
    labelled = dict.fromkeys(c.photo for c in curves if any(p.top1 is not None for p in c.points))
    if not labelled:
        return []
    values = np.array(
        [[[_recognised(by_key[photo, s].best_within(bpp)) for photo in labelled] for bpp in rates] for s in systems]
    )  # [systems, rates, photos, 2], NaN where there is no picture
    complete = ~np.isnan(values).any((2, 3))
    found = []
    for selected, bpp in [*(([r], bpp) for r, bpp in enumerate(rates)), (range(len(rates)), None)]:
        for s, system in enumerate(systems):
            ours = values[0, [r for r in selected if complete[0, r] and complete[s, r]]]
            own = values[s, [r for r in selected if complete[s, r]]]
            paired = values[s, [r for r in selected if complete[0, r] and complete[s, r]]]
            if len(own):
                gains = _estimates(ours - paired, seed) if s and len(paired) else (None, None)
                found.append(Recognition(system, bpp, *_estimates(own, seed), *gains))
    return found


def _estimates(values: NDArray[np.float64], seed: int) -> tuple[Estimate, Estimate]:
    """Of top-1 and probability, from [rates, photos, 2]; a photo's value is the mean over its rates."""
    top1, probability = values.mean(0).T
    return estimate(top1, seed), estimate(probability, seed)


def _recognised(point: Point | None) -> tuple[float, float]:
    if point is None or point.top1 is None or point.probability is None:
        return np.nan, np.nan
    return point.top1, point.probability


def _rate_points(curve: Curve, quality: Quality) -> list[tuple[float, float]]:
    points = []
    for point in curve.front(quality):
        goodness = point.goodness(quality)
        assert goodness is not None
        points.append((8 * point.bytes / curve.pixels, decibels(goodness) if quality == "ms_ssim" else goodness))
    return points


def _value(point: Point | None, quality: Quality) -> float | None:
    value: float | None = None if point is None else getattr(point, quality)
    return value


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [v for v in values if v is not None]
    return float(np.mean(numbers)) if len(numbers) == len(values) else None
