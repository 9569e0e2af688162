"""The vocabulary of the experiments: what is tried, under which conditions, and what came of it. Plain values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Objective = Literal["area", "final"]
Measure = Literal["lpips", "top1"]
Floats = NDArray[np.float64]

TIMES = 101
"""Moments, evenly from the start to the deadline, at which quality over time is kept."""


@dataclass(frozen=True, slots=True)
class System:
    """Something that brings a photo over a link.

    Fields:
        source: how the photo is coded, a name of `SOURCES` (`systems.py`).
        delivery: how its packets are brought over, a name of `DELIVERIES`.
    """

    source: str
    delivery: str

    def __str__(self) -> str:
        return f"{self.source} {self.delivery}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What every system has to cope with.

    Fields:
        channel: as `--channel` takes it.
        bandwidth_bps: bits per second that the datagrams may take, everything included, above 0.
        deadline_s: seconds for which packets are sent, above 0.
        assumed: factor on the mean loss that systems believe in and are tuned for, 1 if they know the channel.
    """

    channel: str
    bandwidth_bps: float
    deadline_s: float
    assumed: float = 1.0

    @property
    def budget_bytes(self) -> int:
        """Bytes that the bandwidth pays for until the deadline."""
        return int(self.bandwidth_bps * self.deadline_s / 8)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What of a system is searched for on tuning photos, and then frozen; None where it has no such parameter.

    Fields:
        packet_size: largest datagram in bytes, all included.
        rate_bpp: bits a pixel that the coded photo may take; None for a source that is coded once and cut anywhere.
        redundancy: parity packets / source packets sent in the first pass, 0 or more.
        block: source packets that are protected together; of a planned delivery those of the first block after the
            base, None for as many as the sender takes.
        depth: blocks whose packets are interleaved, 1 for none.
        objective: what the parameters are chosen for, and the planner plans for: the area under quality over time, or
            the final quality.
    """

    packet_size: int = 1100
    rate_bpp: float | None = None
    redundancy: float | None = None
    block: int | None = None
    depth: int | None = None
    objective: Objective = "area"


@dataclass(frozen=True, slots=True)
class Case:
    """One system with one photo on one channel, over many trials.

    Fields:
        photo: a name that `load_photo` knows (`photo_names.py`).
        system: with
        parameters: as tuned or given, on
        conditions: the same for all that are compared.
        trials: independent runs.
        seed: of the packets' fates; systems with the same seed and conditions meet the same ones.
        measures: what is measured beside PSNR and MS-SSIM, by networks.
    """

    photo: str
    system: System
    conditions: Conditions
    parameters: Parameters
    trials: int
    seed: int
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: an array [trials] of each figure, and means over the trials.

    Where nothing has come the picture is mid-grey. Times are seconds since the first packet began to be sent, decoding
    included, infinite for never by the deadline.

    Fields:
        psnr, ms_ssim: of the picture of all that was sent by the deadline and arrived; MS-SSIM is nan below 161 pixels.
        area: mean PSNR over the time from 0 to the deadline.
        shown: whether there is a picture other than grey.
        base_complete: whether the whole base came; of a source without one, as `shown`.
        first_s: the first picture.
        recognisable_s: the first picture whose MS-SSIM is 0.8 or more.
        sent_bytes: of all datagrams, all included.
        redundancy: bytes beyond those of the source packets / bytes of the source packets, mean.
        psnr_over_time: mean over the trials at `TIMES` moments from 0 to the deadline, [TIMES].
        lpips, top1: perceptual distance of that picture, zero or more, and whether it is recognised, 0..1; None where
            they were not asked for, nan where they could not be measured.
    """

    psnr: Floats
    ms_ssim: Floats
    area: Floats
    shown: NDArray[np.bool_]
    base_complete: NDArray[np.bool_]
    first_s: Floats
    recognisable_s: Floats
    sent_bytes: Floats
    redundancy: float
    psnr_over_time: Floats
    lpips: Floats | None = None
    top1: Floats | None = None
