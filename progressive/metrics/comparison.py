"""All metrics that apply to a picture and its original, in one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics.pairs import check_pair
from progressive.metrics.pixelwise import psnr
from progressive.metrics.semantic import blockwise_si_ssim, si_ssim
from progressive.metrics.structural import MS_SSIM_SHORTEST_SIDE, SSIM_SHORTEST_SIDE, ms_ssim, ssim
from progressive.semantics.grids import Map

if TYPE_CHECKING:
    from progressive.metrics.perceptual import PerceptualDistance

NO_WEIGHTS = "no weights"


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of a comparison.

    Fields:
        key: name in JSON.
        name: for people, with the unit.
        value: None if the metric does not apply, or is infinite.
        note: why there is no value.
    """

    key: str
    name: str
    value: float | None
    note: str = ""


def compare(
    picture: Photo,
    original: Photo,
    *,
    importance: Callable[[Photo], Map],
    perceptual: Callable[[], PerceptualDistance],
) -> list[Measure]:
    """Measures a picture, [H, W, 3], against its original.

    Args:
        importance: the map, [H, W], that weighs the SI-SSIM, of the original.
        perceptual: loads the perceptual distance.

    A metric whose weights are missing (UsageError from either argument) has a note and no value. Raises UsageError if
    the shapes differ.
    """
    check_pair(picture, original)
    ratio = psnr(picture, original)
    measures = [
        _measure("psnr", "PSNR (dB)", ratio if math.isfinite(ratio) else None, "identical"),
        _measure("ssim", "SSIM", ssim(picture, original), _below(SSIM_SHORTEST_SIDE)),
        _measure("ms_ssim", "MS-SSIM", ms_ssim(picture, original), _below(MS_SSIM_SHORTEST_SIDE)),
    ]
    return measures + _semantic(picture, original, importance) + [_perceptual(picture, original, perceptual)]


def _semantic(picture: Photo, original: Photo, importance: Callable[[Photo], Map]) -> list[Measure]:
    names = ("si_ssim", "SI-SSIM, local windows"), ("blockwise_si_ssim", "SI-SSIM, 8x8 blocks")
    try:
        weights = importance(original)
    except UsageError:
        return [Measure(key, name, None, NO_WEIGHTS) for key, name in names]
    values = si_ssim(picture, original, weights), blockwise_si_ssim(picture, original, weights)
    return [
        _measure(key, name, value, _below(SSIM_SHORTEST_SIDE)) for (key, name), value in zip(names, values, strict=True)
    ]


def _perceptual(picture: Photo, original: Photo, load: Callable[[], PerceptualDistance]) -> Measure:
    try:
        distance = load()
    except UsageError:
        return Measure("lpips", "LPIPS (SqueezeNet)", None, NO_WEIGHTS)
    return _measure("lpips", distance.name, distance(picture, original), "photo too small or too large")


def _measure(key: str, name: str, value: float | None, note: str) -> Measure:
    return Measure(key, name, value, note if value is None else "")


def _below(side: int) -> str:
    return f"a side is below {side} pixels"
