"""A broadcast experiment run, and what came of it: a row for each photo and receiver, a table, a plot."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.broadcast import SOURCE, Broadcast
from experiments.case import Floats
from experiments.drawing import COLOURS, Line, draw_lines, new_figure, png_of
from experiments.laboratory import Laboratory
from experiments.photo_names import short_name
from experiments.results import without_photos
from experiments.store import Store, key_of, photo_digest
from experiments.sweep import VERSION, Job, Tell, finish_jobs
from experiments.tables import interval, markdown, percent
from experiments.workers import Workers
from progressive.evaluation.bootstrap import Estimate, estimate

WAYS = {"unicast": "own stream", "broadcast": "broadcast", "simulcast": "simulcast, its best stream"}


@dataclass(frozen=True)
class BroadcastResults:
    """What `try_broadcast` returned, by channel, photo and seed in this order."""

    broadcast: Broadcast
    records: tuple[dict[str, Any], ...]

    def of(self, channel: str) -> list[dict[str, Any]]:
        each = len(self.broadcast.photos) * len(self.broadcast.seeds)
        first = each * self.broadcast.channels.index(channel)
        return list(self.records[first : first + each])

    def values(self, channel: str, what: str) -> Floats:
        """Of each photo and receiver, mean over the seeds, [photos, R]."""
        values = np.array([record[what] for record in self.of(channel)])
        return np.asarray(values.reshape(len(self.broadcast.photos), len(self.broadcast.seeds), -1).mean(axis=1))

    def gap(self, channel: str, way: str = "unicast") -> Estimate:
        """Mean over receivers of what a way is ahead of the broadcast, in dB, with its interval over photos."""
        return estimate((self.values(channel, way) - self.values(channel, "broadcast")).mean(axis=1))

    def share_of_simulcast(self, channel: str) -> float:
        """Bytes of the broadcast / those of the simulcast, mean over photos."""
        return float(np.mean([record["bytes"] / record["simulcast_bytes"] for record in self.of(channel)]))

    def ideal(self, channel: str) -> float:
        """Mean gap in dB that remains with ideal codes."""
        return float(np.mean([record["ideal"] for record in self.of(channel)]))


def run_broadcast(
    broadcast: Broadcast, laboratory: Laboratory, workers: Workers, folder: Path, tell: Tell
) -> BroadcastResults:
    """All results, the same bits for any workers; what is finished is kept in the folder and not done again."""
    store, cache = Store(folder / "results"), (folder / "materials").resolve()
    settings = {k: v for k, v in asdict(broadcast).items() if k not in {"title", "photos", "channels", "seeds"}}
    identity = laboratory.identity(SOURCE)
    jobs = [
        Job(
            key_of(VERSION, "broadcast", identity, settings, channel, photo_digest(photo), seed),
            (laboratory, broadcast, channel, photo, seed, cache),
        )
        for channel in broadcast.channels
        for photo in broadcast.photos
        for seed in broadcast.seeds
    ]
    return BroadcastResults(broadcast, tuple(finish_jobs("broadcasting", jobs, _try, store, workers, tell)))


def _try(
    laboratory: Laboratory, broadcast: Broadcast, channel: str, photo: str, seed: int, cache: Path
) -> dict[str, Any]:
    return laboratory.broadcast(broadcast, channel, photo, seed, cache)


def broadcast_csv(results: BroadcastResults) -> bytes:
    """A line for each channel, photo, seed and receiver."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["channel", "photo", "seed", "snr_db", "loss", *WAYS, "policy", "bytes", "simulcast_bytes"])
    made = results.broadcast
    places = [(channel, photo, seed) for channel in made.channels for photo in made.photos for seed in made.seeds]
    for (channel, photo, seed), record in zip(places, results.records, strict=True):
        for receiver, snr_db in enumerate(made.snrs_db):
            values = [record[what][receiver] for what in ("loss", *WAYS)]
            own = [record[what] for what in ("policy", "bytes", "simulcast_bytes")]
            writer.writerow([channel, short_name(photo), seed, snr_db, *values, *own])
    return file.getvalue().encode()


def broadcast_table(results: BroadcastResults, channel: str) -> str:
    """A row for each receiver, and the mean."""
    header = ("receiver", "packets lost", *(f"{words} (dB)" for words in WAYS.values()), "gap to own stream (dB)")
    values = {what: results.values(channel, what) for what in ("loss", *WAYS)}
    rows = []
    for receiver, snr_db in enumerate(results.broadcast.snrs_db):
        gap = estimate(values["unicast"][:, receiver] - values["broadcast"][:, receiver])
        ways = [f"{values[way][:, receiver].mean():.2f}" for way in WAYS]
        rows.append([f"{snr_db:g} dB", percent(values["loss"][:, receiver].mean()), *ways, interval(gap, sign=False)])
    means = [f"{values[way].mean():.2f}" for way in WAYS]
    rows.append(["mean", percent(values["loss"].mean()), *means, interval(results.gap(channel), sign=False)])
    return markdown(header, rows)


def draw_broadcast(results: BroadcastResults, channel: str) -> bytes:
    """PSNR against the receivers' SNR."""
    snrs = results.broadcast.snrs_db
    lines = []
    found = without_photos([results.values(channel, way) for way in WAYS])
    for (way, words), values, colour, style in zip(WAYS.items(), found, COLOURS, ("--", "-", ":"), strict=False):
        estimates = [estimate(own) for own in values.T]
        mean, low, high = ([getattr(e, part) for e in estimates] for part in ("mean", "low", "high"))
        lines.append(Line(words, snrs, mean, low, high, colour, style, 2.2 if way == "broadcast" else 1.4))
    figure = new_figure(7.5, 4.0)
    axes = figure.subplots()
    draw_lines(axes, lines)
    axes.set(xlabel="mean SNR of the receiver (dB)", ylabel="PSNR (dB)")
    axes.set_title(textwrap.fill(channel.replace("{}", "SNR "), 60, break_on_hyphens=False), fontsize=8)
    return png_of(figure)


def broadcast_note(broadcast: Broadcast) -> str:
    """What was compared, in words."""
    rates = ", ".join(f"{rate:g}" for rate in broadcast.simulcast_bpp)
    return (
        f"{len(broadcast.snrs_db)} receivers, {broadcast.rate_bpp:g} bits a pixel with everything included, packets of "
        f"{broadcast.packet_size} bytes, {len(broadcast.photos)} photos, "
        f"{broadcast.trials * len(broadcast.seeds):,} fates of each receiver and photo. A receiver's own stream has "
        f"the same airtime, and the protection that is best for it; the simulcast is streams of {rates} bits a pixel, "
        "of which each receiver takes the best, protected as is best for it. Where a fade lasts as long as the stream "
        "no code makes up for it, of whichever stream, so that gaps are smaller than between ideal codes that always "
        "get the mean share of the packets."
    )


def broadcast_page(results: BroadcastResults, figures: Sequence[str]) -> str:
    """The note, then a table and a plot for each channel."""
    made = results.broadcast
    parts = [f"# {made.title}", broadcast_note(made)]
    for channel, figure in zip(made.channels, figures, strict=True):
        parts += [
            f"## {channel}",
            broadcast_table(results, channel),
            f"Bytes: {percent(results.share_of_simulcast(channel))} of the simulcast's. Gap between ideal codes that "
            f"get the mean share of the packets: {results.ideal(channel):.2f} dB.",
            f"![PSNR against SNR]({figure})",
        ]
    return "\n\n".join(parts) + "\n"
