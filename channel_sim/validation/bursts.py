"""Packet losses in bursts, beside what their chains promise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from channel_sim.loss import GilbertElliott, LossProcess, TimedBursts
from channel_sim.presets import PRESETS
from channel_sim.validation.check import Check
from progressive.loss_model import LossModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bools = NDArray[np.bool_]

TITLE = "Bursts of packet losses"

NOTE = """\
Share of packets lost and mean number lost in a row, for every preset of packet losses, on 10,000,000 packets each.
The tolerance is three standard errors by the chain's own variance: with the memory m = 1 - p - r (p and r the
probabilities of turning bad and good), the share of losses L over n packets varies by L (1 - L) / n (1 + m) / (1 - m);
the length of a burst is geometric, so the mean B of b bursts varies by B (B - 1) / b.

Bursts in time are a two-state Markov chain in continuous time. One that is bad for a tenth of the time, in bursts of
50 ms, loses a tenth of the packets whether one is sent every 0.5 ms or every second.
"""

PACKETS = 10_000_000
TIMED = TimedBursts(0.1, 0.05)
INTERVALS_S = (0.0005, 0.005, 0.05, 1.0)
SEED = 1


def burst_lengths(lost: Bools) -> NDArray[np.int64]:
    """Numbers of packets lost in a row, [packets] -> [bursts]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    lengths: NDArray[np.int64] = edges[1::2] - edges[::2]
    return lengths


def checks() -> list[Check]:
    """Losses and bursts of every preset that loses packets by a chain, and of bursts in time; some 3 s."""
    rows = []
    for seed, (name, preset) in enumerate(PRESETS.items()):
        match preset.settings.loss:
            case LossModel() as model:
                memory = 1 - model.to_good - model.to_bad
                rows += _rows(name, LossProcess(model, seed=seed).draw(PACKETS), model.loss, memory)
            case GilbertElliott() | TimedBursts() | None:
                pass
    for interval_s in INTERVALS_S:
        memory = math.exp(-interval_s / (TIMED.burst_s * (1 - TIMED.loss)))
        lost = LossProcess(TIMED, seed=SEED).draw(interval_s * np.arange(PACKETS // 10, dtype=np.float64))
        rows += _rows(f"{TIMED}, a packet every {interval_s * 1e3:g} ms", lost, TIMED.loss, memory)
    return rows


def _rows(what: str, lost: Bools, loss: float, memory: float) -> list[Check]:
    """Share and mean burst of the losses of a chain in which the bad state loses all and the good one none."""
    lengths = burst_lengths(lost)
    burst = 1 / ((1 - loss) * (1 - memory))
    share_error = math.sqrt(loss * (1 - loss) / len(lost) * (1 + memory) / (1 - memory))
    burst_error = math.sqrt(burst * (burst - 1) / len(lengths))
    return [
        Check(f"{what}: share of packets lost", float(lost.mean()), loss, 3 * share_error, len(lost)),
        Check(f"{what}: mean packets in a burst", float(lengths.mean()), burst, 3 * burst_error, len(lengths)),
    ]


def draw(figure: Figure) -> None:
    """Distribution of burst lengths of the presets, measured on 1,000,000 packets and by the geometric law."""
    axes = figure.subplots()
    for number, (name, preset) in enumerate(PRESETS.items()):
        model = preset.settings.loss
        if isinstance(model, LossModel) and model.burst is not None:
            lengths = burst_lengths(LossProcess(model, seed=SEED).draw(PACKETS // 10))
            at_least = np.arange(1, 31)
            measured = [np.mean(lengths >= packets) for packets in at_least]
            axes.semilogy(at_least, (1 - 1 / model.burst) ** (at_least - 1), color=f"C{number}", linewidth=1)
            axes.semilogy(at_least, measured, ".", color=f"C{number}", label=f"{name}: {model}")
    axes.set(xlabel="packets lost in a row, at least", ylabel="share of bursts", ylim=(1e-3, 1.2))
    axes.legend(title="dots: measured, lines: theory", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
