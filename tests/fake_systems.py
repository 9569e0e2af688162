"""Systems of a few lines for tests of the experiments around them: figures drawn from the case, nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.broadcast import Broadcast
from experiments.case import TIMES, Case, Conditions, Objective, Outcome, Parameters, System
from experiments.laboratory import Laboratory
from experiments.validation import Comparison
from progressive.errors import UsageError

SOURCES = ("ours", "theirs", "rmpgc", "jpeg")
DELIVERIES = ("planned", "equal", "none", "retransmission")
KILLS_ONCE, KILLS_ALWAYS = "kills-once", "kills-always"
"""Sources that kill their worker."""


def check_system(system: System) -> None:
    if system.source not in (*SOURCES, KILLS_ONCE, KILLS_ALWAYS):
        raise UsageError(f"unknown source {system.source!r}: use one of {', '.join(SOURCES)}")
    if system.delivery not in DELIVERIES:
        raise UsageError(f"unknown delivery {system.delivery!r}: use one of {', '.join(DELIVERIES)}")


def identity(source: str) -> str:
    return f"{source} 1 model"


def prepare(source: str, photo: str, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)


def tune(
    system: System,
    conditions: Conditions,
    photos: Sequence[str],
    objective: Objective,
    trials: int,
    seed: int,
    cache: Path,
) -> Parameters:
    return Parameters(packet_size=500 + len(photos), redundancy=0.25 if system.delivery == "equal" else None)


def run(case: Case, cache: Path) -> Outcome:
    """PSNR of 30 dB, 1 more if planned, 2 less for theirs, and noise of 1 dB that systems share."""
    marker = cache / "killed"
    if case.system.source == KILLS_ALWAYS or (case.system.source == KILLS_ONCE and not marker.exists()):
        marker.touch()
        os._exit(9)
    rng = np.random.default_rng([case.seed, len(case.photo)])
    psnr = 30 + rng.normal(size=case.trials)
    psnr += (case.system.delivery == "planned") - 2 * (case.system.source in {"theirs", "jpeg"})
    shown = rng.random(case.trials) < 0.9
    psnr[~shown] = 12.0
    first_s = np.where(shown, 1.0, np.inf)
    return Outcome(
        psnr=psnr,
        ms_ssim=np.full(case.trials, 0.9),
        area=psnr - 3,
        shown=shown,
        base_complete=shown,
        first_s=first_s,
        recognisable_s=first_s * 2,
        sent_bytes=np.full(case.trials, 1000.0),
        redundancy=0.1,
        psnr_over_time=np.linspace(12, psnr.mean(), TIMES),
        lpips=(40 - psnr) / 40 if "lpips" in case.measures else None,
        top1=(psnr > 20).astype(float) if "top1" in case.measures else None,
    )


def base_probability(case: Case, cache: Path) -> float:
    return 0.9995


def broadcast(broadcast: Broadcast, channel: str, photo: str, seed: int, cache: Path) -> dict[str, Any]:
    """Half a decibel from each one's own stream, and as far above the simulcast."""
    unicast = 20 + np.array(broadcast.snrs_db)
    return {
        "loss": (1 / unicast).tolist(),
        "unicast": unicast.tolist(),
        "broadcast": (unicast - 0.5).tolist(),
        "simulcast": (unicast - 1).tolist(),
        "policy": "pet for all receivers",
        "bytes": 44,
        "simulcast_bytes": 100,
        "ideal": 0.25,
    }


def compare(photo: str, receptions: int, seed: int, cache: Path) -> Comparison:
    """Estimates are 0.02 dB too high."""
    psnr = np.linspace(20, 30, receptions)
    ms_ssim = np.linspace(0.8, 0.95, receptions)
    base_complete = np.arange(receptions) > 0
    return Comparison(psnr, ms_ssim, psnr + 0.02, ms_ssim, psnr - 0.3, base_complete)


FAKE = Laboratory(check_system, identity, prepare, tune, run, base_probability, broadcast, compare)
