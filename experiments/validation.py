"""Whether additive qualities are those of real pictures: receptions drawn at random, estimated and decoded.

The patterns of loss are equally likely, and each stream is looked at `LOOKS` times on its way, when random numbers of
packets have been sent. Beside the estimate of the experiments stands what the planner believes, which knows
only the utilities that the sender has, a whole packet at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.loss import draw_trials
from experiments.cache import Arrays, cached, digest_of
from experiments.material import LEAST_LEFT, Material
from experiments.photo_names import load_photo
from experiments.sources.layered import LayeredSource, PackedPhoto
from experiments.sources.measure import squared_error
from progressive import metrics
from progressive.loss_model import LossModel
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.runtime.threads import one_thread

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PATTERNS = (
    LossModel(0.031, 1.6),
    LossModel(0.065, 5.0),
    LossModel(0.138, 1.7),
    LossModel(0.214, 10.0),
    LossModel(0.324, 2.7),
)
"""Mean loss and burst of EP2 to EP6."""

LOOKS = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """Estimated and real qualities of receptions, each an array of one length.

    Fields:
        psnr, ms_ssim: of the real picture; MS-SSIM is nan for small photos.
        estimated_psnr, estimated_ms_ssim: by the experiments.
        planned_psnr: as the planner believes.
        base_complete: whether the whole base came; without it a picture is coarse or grey.
    """

    psnr: Floats
    ms_ssim: Floats
    estimated_psnr: Floats
    estimated_ms_ssim: Floats
    planned_psnr: Floats
    base_complete: Bools


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far estimates are from the truth, estimate - real.

    Fields:
        receptions: how many were compared.
        mean: of the differences; what a mean over trials is wrong by.
        spread: their standard deviation.
        worst: the largest, whatever its sign.
    """

    receptions: int
    mean: float
    spread: float
    worst: float

    @classmethod
    def of(cls, estimated: Floats, real: Floats) -> Agreement:
        """Raises ValueError if there is nothing to compare."""
        difference = estimated - real
        return cls(len(real), float(difference.mean()), float(difference.std()), float(np.abs(difference).max()))


def compare_photo(
    photo: str, receptions: int, seed: int, cache: Path, *, source: str = DEFAULT_CODEC, packet_size: int = 1100
) -> Comparison:
    """Draws, estimates and decodes so many receptions of a photo, kept in the folder `cache`.

    Args:
        photo: its name.
        receptions: how many.
        seed: of what is lost, and when it is looked at.
        cache: folder for this and for materials.
        source: a codec of the registry.
        packet_size: of the datagrams, in bytes.
    """
    pixels = load_photo(photo)
    kept = cached(
        cache,
        lambda: _compared(LayeredSource(source), photo, receptions, seed, cache, packet_size),
        *("comparison", LayeredSource(source).identity(), digest_of(pixels), receptions, seed, packet_size),
    )
    values: dict[str, Any] = {field.name: kept[field.name] for field in fields(Comparison)}
    return Comparison(**values)


def joined_comparison(parts: Sequence[Comparison]) -> Comparison:
    """Those of several photos as one."""
    return Comparison(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Comparison)}
    )


def draw_receptions(packets: int, receptions: int, seed: int) -> list[Bools]:
    """Which packets are there, at each look more of one stream than before: arrays of [looks, packets]."""
    streams = -(-receptions // LOOKS)
    drawn = []
    for stream, own in enumerate(SeedSequence([seed, packets]).spawn(streams)):
        loss_seed, look_seed = own.spawn(2)
        lost = draw_trials(PATTERNS[stream % len(PATTERNS)], 1, packets, seed=loss_seed)
        looks = min(LOOKS, receptions - stream * LOOKS)
        sent = np.sort(np.random.default_rng(look_seed).integers(1, packets + 1, looks))
        drawn.append(~lost & (np.arange(packets) < sent[:, None]))
    return drawn


def estimated(material: Material, there: Bools) -> tuple[Floats, Floats]:
    """PSNR and MS-SSIM of what is there, [receptions, S], as the experiments estimate them."""
    shown_s = material.shown_s(np.where(there, 0.0, math.inf))
    order = np.argsort(shown_s, axis=1, kind="stable")
    psnr, ms_ssim = material.qualities(order)
    last = np.arange(len(there)), np.isfinite(shown_s).sum(axis=1)
    return psnr[last], ms_ssim[last]


def believed_by_planner(material: Material, there: Bools) -> Floats:
    """PSNR of the same by the sender's utilities, a packet showing all or nothing, [receptions]."""
    shown = np.concatenate([there, np.ones((len(there), 1), dtype=np.bool_)], axis=1)
    for packet, own in enumerate(material.needs):
        shown[:, packet] &= shown[:, own].all(axis=1)
    left = material.grey - material.pieces.removed.sum() + ~shown[:, :-1] @ material.utility
    return np.asarray(10 * np.log10(255.0**2 * material.samples / left))


def _compared(source: LayeredSource, photo: str, receptions: int, seed: int, cache: Path, packet_size: int) -> Arrays:
    pixels = load_photo(photo)
    material = source.material(pixels, None, packet_size, cache)
    packed = PackedPhoto.of(load_codec(source.name), pixels, packet_size)
    psnr, ms_ssim = [], []
    drawn = draw_receptions(len(material.sizes), receptions, seed)
    with one_thread():
        for picture in (picture for looks in drawn for picture in packed.pictures(looks)):
            error = max(squared_error(picture, pixels), LEAST_LEFT)
            psnr.append(10 * math.log10(255**2 * pixels.size / error))
            similarity = metrics.ms_ssim(picture, pixels)
            ms_ssim.append(math.nan if similarity is None else similarity)
    there = np.concatenate(drawn)
    estimate, estimate_ms_ssim = estimated(material, there)
    return {
        "psnr": np.array(psnr),
        "ms_ssim": np.array(ms_ssim),
        "estimated_psnr": estimate,
        "estimated_ms_ssim": estimate_ms_ssim,
        "planned_psnr": believed_by_planner(material, there),
        "base_complete": np.asarray(there[:, : material.base].all(axis=1)),
    }
