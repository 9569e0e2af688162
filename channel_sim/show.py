"""A figure of a channel over time: SNR, rate, delays and losses of packets offered to the link."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from channel_sim.link import Fate, Link, LinkSettings, Passage
from progressive.errors import UsageError
from progressive.figures import figure_png
from progressive.files import check_writable, write_atomically
from progressive.units import counted, format_bandwidth, format_percent, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULT_BANDWIDTH_BPS = 50e3
"""At which a link that takes no time to transmit is offered packets."""

MAX_PACKETS = 200_000

MOST_BINS, PACKETS_IN_A_BIN = 100, 5
"""Of the rate over time: few packets in a bin would draw a comb where the rate is steady."""

_COLOURS = {Fate.DELIVERED: "tab:green", Fate.DAMAGED: "tab:orange", Fate.LOST: "tab:red", Fate.DROPPED: "tab:purple"}
_LEVELS = {fate: level for level, fate in enumerate(reversed(Fate))}


@dataclass(frozen=True, slots=True)
class Watch:
    """What to offer to a link, and for how long.

    Fields:
        settings: of the link.
        duration_s: how long packets are offered.
        bandwidth_bps: at which they are offered; None offers the next when the one before has left, or at 50 kbit/s to
            a link that takes no time.
        packet_size: of every packet, in bytes.
        seed: of the link.
    """

    settings: LinkSettings
    duration_s: float = 10.0
    bandwidth_bps: float | None = None
    packet_size: int = 1100
    seed: int = 0
    data: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.duration_s <= 86_400:
            raise UsageError(f"a link cannot be watched for {self.duration_s:g} s: use more than 0 s, up to 24 h")
        if not 1 <= self.packet_size <= 65_507:
            raise UsageError(f"packets of {self.packet_size} bytes cannot be sent: use 1 to 65507")
        object.__setattr__(self, "data", bytes(self.packet_size))

    def passages(self) -> list[Passage]:
        """How the packets pass, in order; UsageError for more packets than a figure shows."""
        link = Link(self.settings, seed=self.seed, start_s=0.0)
        pace_bps = self.bandwidth_bps
        if pace_bps is None and not self.settings.has_rate:
            pace_bps = DEFAULT_BANDWIDTH_BPS
        now, passages = 0.0, list[Passage]()
        while now < self.duration_s:
            if len(passages) >= MAX_PACKETS:
                raise UsageError(
                    f"more than {MAX_PACKETS} packets pass in {format_time(self.duration_s)}: use a shorter --for, "
                    "a lower --bandwidth, or a larger --packet-size"
                )
            passage = link.carry(self.data, now)
            passages.append(passage)
            now = passage.end_s if pace_bps is None else now + 8 * self.packet_size / pace_bps
        return passages

    def snr_db(self, times_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """SNR at these times, [n]; None without a radio channel."""
        radio = Link(self.settings, seed=self.seed).radio
        return None if radio is None else radio.snr_db(times_s)[0]


def draw(watch: Watch, title: str, path: Path) -> str:
    """Draws the figure into a PNG and sums up what it shows; UsageError before drawing if it cannot be written."""
    check_writable(path)
    passages = watch.passages()
    from matplotlib.figure import Figure

    times_s = np.linspace(0, watch.duration_s, 1500)
    snr_db = watch.snr_db(times_s)
    rows = 3 if snr_db is None else 4
    figure = Figure(figsize=(10, 1.2 + 1.7 * rows), layout="constrained")
    axes = list(figure.subplots(rows, 1, sharex=True))
    figure.suptitle(title if len(title) <= 100 else f"{title[:99]}…")
    if snr_db is not None:
        snr_axes = axes.pop(0)
        snr_axes.plot(times_s, np.maximum(snr_db, -30), linewidth=0.8)
        snr_axes.set_ylabel("SNR (dB)")
    _draw_rates(axes[0], watch, passages)
    _draw_delays(axes[1], passages)
    _draw_fates(axes[2], passages)
    axes[2].set_xlabel("time (s)")
    axes[2].set_xlim(0, watch.duration_s)
    for each in figure.axes:
        each.grid(alpha=0.3)
    write_atomically(path, figure_png(figure, dpi=100))
    return f"{_in_words(watch, passages)} -> {path}"


def _draw_rates(axes: Axes, watch: Watch, passages: list[Passage]) -> None:
    """What the link carries, and what of it arrives."""
    bins = min(MOST_BINS, max(1, len(passages) // PACKETS_IN_A_BIN))
    edges_s = np.linspace(0, watch.duration_s, bins + 1)
    arrivals_s = [arrival_s for passage in passages for arrival_s, _ in passage.arrivals[:1]]
    received_bps = np.histogram(arrivals_s, edges_s)[0] * 8 * watch.packet_size / np.diff(edges_s)
    if watch.settings.trace is not None:
        axes.stairs(watch.settings.trace.rate_bps(edges_s) / 1e3, edges_s, color="tab:grey", label="link")
    elif watch.settings.has_rate:
        sent = [passage for passage in passages if passage.end_s > passage.begin_s]
        rates_bps = [8 * watch.packet_size / (passage.end_s - passage.begin_s) for passage in sent]
        begins_s = [passage.begin_s for passage in sent]
        axes.step(begins_s, np.array(rates_bps) / 1e3, where="post", color="tab:grey", linewidth=0.8, label="link")
    axes.stairs(received_bps / 1e3, edges_s, color="tab:blue", label="arriving", zorder=3)
    axes.set_ylabel("rate (kbit/s)")
    _from_zero(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1, fontsize="small", frameon=False)


def _draw_delays(axes: Axes, passages: list[Passage]) -> None:
    arrived = [
        (passage.offered_s, passage.arrivals[0][0] - passage.offered_s) for passage in passages if passage.arrivals
    ]
    axes.plot([time_s for time_s, _ in arrived], [1e3 * delay_s for _, delay_s in arrived], ".", markersize=2)
    axes.set_ylabel("delay (ms)")
    _from_zero(axes)


def _from_zero(axes: Axes) -> None:
    """Shows zero, and all that is drawn with some room above."""
    highest = axes.dataLim.ymax
    axes.set_ylim(0, 1.1 * highest if 0 < highest < math.inf else 1)


def _draw_fates(axes: Axes, passages: list[Passage]) -> None:
    for fate, colour in _COLOURS.items():
        times_s = [passage.offered_s for passage in passages if passage.fate is fate]
        axes.plot(times_s, [_LEVELS[fate]] * len(times_s), "|", color=colour, markersize=12)
    axes.set_yticks(list(_LEVELS.values()), [fate.value for fate in _LEVELS])
    axes.set_ylim(-0.6, len(_LEVELS) - 0.4)


def _in_words(watch: Watch, passages: list[Passage]) -> str:
    counts = Counter(passage.fate for passage in passages)
    shares = ", ".join(
        f"{format_percent(counts[fate] / len(passages), digits=3)} {fate.value}" for fate in Fate if counts[fate]
    )
    bits = 8 * watch.packet_size * (counts[Fate.DELIVERED] + counts[Fate.DAMAGED])
    received = format_bandwidth(bits / watch.duration_s, digits=3)
    return f"{counted(len(passages), 'packet')} in {format_time(watch.duration_s)}: {shares}, {received}"
