"""What an experiment tries: systems x channels x bandwidths x photos x seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from experiments.case import Conditions, Measure, Objective, System


@dataclass(frozen=True, slots=True)
class Point:
    """A channel on the axis of a plot.

    Fields:
        label: as written under the axis, such as `ep4` or `10`.
        channel: as `--channel` takes it.
        value: its place on an axis of numbers; None on one of names.
    """

    label: str
    channel: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Channels that belong into one plot.

    Fields:
        title: what differs between them, with its unit: the axis.
        points: one at least.
    """

    title: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """All that decides the results of a sweep.

    Fields:
        title: of its page.
        photos: names of the photos that results are measured on.
        tuning_photos: names of other photos, on which parameters are chosen.
        systems: the first one is compared with all others.
        panels: the channels.
        bandwidths_bps: of the datagrams, everything included; with two or more these are the axis of the plots.
        deadline_s: of every photo.
        assumed: factors on the losses that systems believe in.
        objective: what parameters are chosen for.
        trials: of each case and seed.
        tuning_trials: of each candidate and tuning photo.
        seeds: of the packets' fates, one group of trials each.
        outage_below_db: PSNR at the deadline below which a trial is an outage.
        over_time: channels, some of the panels', for which quality over time is drawn.
        measures: what is measured beside PSNR and MS-SSIM, by networks.
    """

    title: str
    photos: tuple[str, ...]
    tuning_photos: tuple[str, ...]
    systems: tuple[System, ...]
    panels: tuple[Panel, ...]
    bandwidths_bps: tuple[float, ...]
    deadline_s: float
    assumed: tuple[float, ...]
    objective: Objective
    trials: int
    tuning_trials: int
    seeds: tuple[int, ...]
    outage_below_db: float
    over_time: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()

    @property
    def sources(self) -> list[str]:
        """Of all systems, each once."""
        return list(dict.fromkeys(system.source for system in self.systems))

    @property
    def conditions(self) -> list[Conditions]:
        """All that systems meet, in the order of the results."""
        channels = dict.fromkeys(point.channel for panel in self.panels for point in panel.points)
        return [
            Conditions(channel, bandwidth_bps, self.deadline_s, assumed)
            for channel, bandwidth_bps, assumed in product(channels, self.bandwidths_bps, self.assumed)
        ]

    def subjects(self) -> Iterator[tuple[System, Conditions]]:
        """What is tuned, each once."""
        yield from product(self.systems, self.conditions)
