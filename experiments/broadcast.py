"""One stream for receivers of different SNR, beside each one's own stream of the same airtime, and beside a simulcast.

The same candidates are tried for all of them: no protection, planned protection and stripes (PET), for the losses of
each receiver and for those of all together. A receiver's own stream is the candidate that is best for it, the broadcast
is the one that is best in the mean over all receivers. A simulcast is several streams of other rates; each receiver
takes the best for it, protected as is best for it, as if it were sent for that receiver alone, which favours the
simulcast. Candidates are chosen on other fates than those that results are measured on.

Legend: R receivers, F fates, N slots, S source packets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channel_sim.population import draw_fates
from channel_sim.spec import parse_channel
from experiments.deliveries.schedule import Schedule, there_s
from experiments.ideal import ideal_gap
from experiments.material import Material
from experiments.systems import material_of
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.wire.protection import BlockShape, Goal, Plan, plan_protection

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SOURCE = "rmpgc"
MOST_LOSS = 0.95
"""That plans are made for."""

SPARE = 1.5
"""Fates are drawn for so many times as many packets as the budget has of full size, then they begin anew."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """All that decides the results.

    Fields:
        title: of its page.
        photos: names of the photos.
        channels: each with {} where the SNR in dB stands.
        snrs_db: of the receivers.
        bandwidth_bps: of the datagrams, everything included.
        rate_bpp: bits a pixel that the broadcast, and each receiver's own stream, may take, everything included.
        simulcast_bpp: of the streams of the simulcast.
        packet_size: largest datagram in bytes, everything included.
        trials: fates of each receiver that candidates are chosen on, and as many that results are measured on.
        seeds: of the fates, one group of trials each.
    """

    title: str
    photos: tuple[str, ...]
    channels: tuple[str, ...]
    snrs_db: tuple[float, ...]
    bandwidth_bps: float
    rate_bpp: float
    simulcast_bpp: tuple[float, ...]
    packet_size: int
    trials: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ObservedLosses(LossModel):
    """Losses as they were seen, for policies that ask how many packets arrive.

    Fields:
        lost: which packets of a row were, [F, N].
    """

    lost: Bools | None = None

    @classmethod
    def of(cls, lost: Bools) -> ObservedLosses:
        """With the mean loss and mean burst of these fates."""
        loss = min(float(lost.mean()), MOST_LOSS)
        bursts = int(lost[:, 0].sum() + (lost[:, 1:] & ~lost[:, :-1]).sum())
        burst = max(1.0, float(lost.sum()) / max(1, bursts), loss / (1 - loss))
        return cls(loss, burst, lost)

    def received_distribution(self, slots: Sequence[int]) -> Floats:
        """Share of the fates in which 0, 1, .. of the packets in these slots arrive, [len(slots) + 1]."""
        assert self.lost is not None
        counts = (~self.lost[:, np.array(slots) % self.lost.shape[1]]).sum(axis=1)
        return np.bincount(counts, minlength=len(slots) + 1) / len(self.lost)


def try_broadcast(broadcast: Broadcast, channel: str, photo: str, seed: int, cache: Path) -> dict[str, Any]:
    """PSNR of every receiver, mean over the fates: its own stream, the broadcast, the simulcast.

    Returns plain values: `loss` of each receiver, `unicast`, `broadcast` and `simulcast` PSNR of each, the `policy` of
    the broadcast, its `bytes`, those of the simulcast, and `ideal`, the mean gap that remains even with ideal codes.
    """
    material = material_of(SOURCE, photo, None, broadcast.packet_size, cache)
    pixels = material.samples // 3
    slots = int(SPARE * max(broadcast.rate_bpp, *broadcast.simulcast_bpp) * pixels / 8 / broadcast.packet_size) + 1
    fates = _fates(broadcast, channel, slots, seed)
    chosen_on, measured_on = fates[:, : broadcast.trials], fates[:, broadcast.trials :]

    _check_rates(broadcast, material, photo, pixels)
    plans = candidates(material, int(broadcast.rate_bpp * pixels / 8), chosen_on)
    expected = np.array([_psnrs(material, plan, chosen_on) for plan in plans.values()])
    measured = np.array([_psnrs(material, plan, measured_on) for plan in plans.values()])
    one = int(expected.mean(axis=1).argmax())
    receivers = np.arange(len(fates))
    name, plan = list(plans.items())[one]
    return {
        "loss": measured_on.mean(axis=(1, 2)).tolist(),
        "unicast": measured[expected.argmax(axis=0), receivers].tolist(),
        "broadcast": measured[one].tolist(),
        "simulcast": _simulcast(broadcast, material, pixels, chosen_on, measured_on).tolist(),
        "policy": name,
        "bytes": sum(plan.sizes),
        "simulcast_bytes": sum(int(rate_bpp * pixels / 8) for rate_bpp in broadcast.simulcast_bpp),
        "ideal": ideal_gap(
            *_quality_of_bytes(material), 1 - measured_on.mean(axis=(1, 2)), broadcast.rate_bpp * pixels / 8
        ),
    }


def _check_rates(broadcast: Broadcast, material: Material, photo: str, pixels: int) -> None:
    """Raises UsageError for a rate that does not buy the first packet of a photo."""
    first = material.sizes[0]
    least = math.ceil(1e4 * 8 * first / pixels) / 1e4
    for key, rates in (("rate", (broadcast.rate_bpp,)), ("simulcast", broadcast.simulcast_bpp)):
        for rate_bpp in rates:
            if int(rate_bpp * pixels / 8) < first:
                raise UsageError(
                    f"{key}: {rate_bpp:g} bits a pixel of {photo} are less than its first packet of {first} bytes: "
                    f"use {least:g} or more, or a smaller packet_size"
                )


def candidates(material: Material, budget_bytes: int, lost: Bools) -> dict[str, Plan]:
    """Plans by name, for the fates of each receiver and of all together, [R, F, N]."""
    blocks = material.blocks()
    models = {f"receiver {number}": ObservedLosses.of(own) for number, own in enumerate(lost, 1)}
    models["all receivers"] = ObservedLosses.of(lost.reshape(-1, lost.shape[2]))
    plans = {"none": plan_protection("none", blocks, Goal(budget_bytes))}
    for words, model in models.items():
        for policy in ("auto", "pet"):
            plan = plan_protection(policy, blocks, Goal(budget_bytes, model=model, objective="final"))
            plans[f"{policy} for {words}"] = plan
    return plans


def final_psnr(material: Material, plan: Plan, lost: Bools) -> Floats:
    """PSNR of what is there after all slots, given which were lost, [F, N] -> [F]."""
    blocks = material.blocks()
    lost = lost[:, np.arange(len(plan.slots)) % lost.shape[1]]
    if plan.striped:
        there = _stripes_there(blocks, plan, (~lost).sum(axis=1))
    else:
        arrival_s = np.where(lost, np.inf, 0.0)
        there = there_s(Schedule.of(plan, blocks), arrival_s, len(material.sizes))
    shown = np.isfinite(material.shown_s(there))
    left = np.maximum(material.grey - shown @ material.pieces.removed, 1.0)
    return np.asarray(10 * np.log10(255.0**2 * material.samples / left))


def _stripes_there(blocks: Sequence[BlockShape], plan: Plan, received: NDArray[np.intp]) -> Floats:
    """When each source packet of a striped plan is there, 0 or infinity, given how many packets came, [F] -> [F, S]."""
    needed = np.repeat([k or np.inf for k in plan.sources], [shape.k for shape in blocks])
    return np.where(received[:, None] >= needed, 0.0, np.inf)


def _psnrs(material: Material, plan: Plan, lost: Bools) -> list[float]:
    return [float(final_psnr(material, plan, own).mean()) for own in lost]


def _simulcast(broadcast: Broadcast, material: Material, pixels: int, chosen_on: Bools, measured_on: Bools) -> Floats:
    """PSNR of each receiver with the stream and the protection that are best for it, [R]."""
    expected, measured = [], []
    for rate_bpp in broadcast.simulcast_bpp:
        for plan in candidates(material, int(rate_bpp * pixels / 8), chosen_on).values():
            expected.append(_psnrs(material, plan, chosen_on))
            measured.append(_psnrs(material, plan, measured_on))
    best = np.argmax(expected, axis=0)
    return np.asarray(np.array(measured)[best, np.arange(len(best))])


@lru_cache(maxsize=4)
def _fates(broadcast: Broadcast, channel: str, slots: int, seed: int) -> Bools:
    """Of packets of full size, sent one after the other, for twice the trials, [R, 2 F, N]."""
    times_s = np.arange(slots) * 8 * broadcast.packet_size / broadcast.bandwidth_bps
    seeds = np.random.SeedSequence(seed).generate_state(len(broadcast.snrs_db))
    return np.stack(
        [
            draw_fates(
                parse_channel(channel.replace("{}", f"{snr_db:g}")),
                2 * broadcast.trials,
                times_s,
                broadcast.packet_size,
                seed=int(own),
            )
            for snr_db, own in zip(broadcast.snrs_db, seeds, strict=True)
        ]
    )


def _quality_of_bytes(material: Material) -> tuple[Floats, Floats]:
    """PSNR without losses after so many bytes, [S + 1] each; grey at none."""
    packets = len(material.sizes)
    by_packet = np.bincount(material.pieces.packet, material.pieces.removed, packets)
    left = np.maximum(material.grey - np.concatenate([[0.0], np.cumsum(by_packet)]), 1.0)
    return np.concatenate([[0.0], np.cumsum(material.sizes)]), 10 * np.log10(255.0**2 * material.samples / left)
