"""Many trials of one photo by one system: packets received -> restored -> shown -> quality over time.

Legend: F trials, P pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.case import TIMES, Outcome
from experiments.deliveries.schedule import Delivered
from experiments.material import Material

Floats = NDArray[np.float64]

RECOGNISABLE = 0.8
"""MS-SSIM from which on a picture counts as recognisable."""

_ROUNDING_S = 1e-9


@dataclass(frozen=True, slots=True)
class Clock:
    """When a case ends.

    Fields:
        deadline_s: no packet is sent later.
        last_arrival_s: a packet that arrives later comes too late; the deadline and the delay of the link.
    """

    deadline_s: float
    last_arrival_s: float


def outcome_of(material: Material, delivered: Delivered, clock: Clock) -> Outcome:
    """What the viewers of all trials see."""
    in_time = delivered.there_s <= clock.last_arrival_s + _ROUNDING_S
    shown_s = material.shown_s(np.where(in_time, delivered.there_s, math.inf))
    if material.chain:
        rising_s = shown_s
        psnr, ms_ssim = material.qualities(np.arange(shown_s.shape[1])[None])
        psnr, ms_ssim = (np.broadcast_to(own, (len(shown_s), own.shape[1])) for own in (psnr, ms_ssim))
    else:
        order = np.argsort(shown_s, axis=1, kind="stable")
        rising_s = np.take_along_axis(shown_s, order, axis=1)
        psnr, ms_ssim = material.qualities(order)
    count = np.isfinite(rising_s).sum(axis=1)
    last = np.arange(len(count)), count
    on_screen_s = np.minimum(rising_s + material.decode_s, clock.deadline_s)
    steps = np.diff(psnr, axis=1)
    return Outcome(
        psnr=psnr[last],
        ms_ssim=ms_ssim[last],
        area=psnr[:, 0] + (steps * (clock.deadline_s - on_screen_s)).sum(axis=1) / clock.deadline_s,
        shown=count >= material.first_picture,
        base_complete=np.asarray(np.isfinite(shown_s[:, material.pieces.packet < material.base]).all(axis=1)),
        first_s=rising_s[:, material.first_picture - 1] + material.decode_s,
        recognisable_s=_first(rising_s, ms_ssim[:, 1:] >= RECOGNISABLE) + material.decode_s,
        sent_bytes=delivered.sent_bytes,
        redundancy=float(delivered.redundancy.mean()),
        psnr_over_time=_over_time(psnr[:, 0], steps, rising_s + material.decode_s, clock.deadline_s),
    )


def joined(parts: list[Outcome]) -> Outcome:
    """Several groups of trials as one."""
    weights = np.array([len(part.psnr) for part in parts], dtype=np.float64)
    fields = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Outcome.__dataclass_fields__
        if name not in {"redundancy", "psnr_over_time", "lpips", "top1"}
    }
    return Outcome(
        **fields,
        redundancy=float(np.average([part.redundancy for part in parts], weights=weights)),
        psnr_over_time=np.average([part.psnr_over_time for part in parts], axis=0, weights=weights),
    )


def _first(times_s: Floats, good: NDArray[np.bool_]) -> Floats:
    """The first time of each trial at which it is good, [F]; infinite for never."""
    return np.asarray(np.where(good, times_s, math.inf).min(axis=1, initial=math.inf))


def _over_time(grey: Floats, steps: Floats, times_s: Floats, deadline_s: float) -> Floats:
    """Mean over the trials of a quality that rises by steps at times, at `TIMES` moments, [TIMES]."""
    moments = np.ceil(np.minimum(times_s / deadline_s, 2.0) * (TIMES - 1) - _ROUNDING_S).astype(np.intp)
    in_time = moments < TIMES
    rises = np.bincount(moments[in_time], steps[in_time], minlength=TIMES)
    return np.asarray(grey.mean() + np.cumsum(rises) / len(grey))
