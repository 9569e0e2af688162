"""Link adaptation: reports that come late choose the scheme, and an outer loop corrects them to a target of losses."""

from __future__ import annotations

import itertools
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from channel_sim.modem.mcs import THRESHOLDS_DB

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Schemes = NDArray[np.intp]

STEP_DB = 0.5
"""A loss makes the loop this much more careful."""

LEAST_MARGIN_DB, GREATEST_MARGIN_DB = -5.0, 15.0
"""Bounds of what the loop adds: a link much better than the fastest scheme needs, or much worse than the slowest one
can bear, must not carry it away so far that it takes long to return."""


class _Report(NamedTuple):
    """A packet's outcome: when it is known, first on any link and on each, and what it does to the margins, [links]."""

    earliest_s: float
    known_s: Floats
    change_db: Floats


class OuterLoop:
    """Chooses schemes for many links, each with a margin of its own.

        scheme = the fastest whose threshold is at most the reported SNR - margin
        margin += STEP_DB after a loss, -= STEP_DB * target / (1 - target) after a delivery

    At rest the two balance, so that the target is met whatever the thresholds and the reports are worth (Sampath, Kumar
    and Holtzman, "On setting reverse link target SIR in a CDMA system", VTC 1997; Pedersen et al., "Frequency domain
    scheduling for OFDMA with limited and noisy channel feedback", VTC 2007). A loss at the slowest scheme changes
    nothing, as nothing more careful could be done: the target is of the losses besides these.

    Args:
        links: how many.
        target: share of packets to be lost, between 0 and 1.
    """

    def __init__(self, links: int, target: float) -> None:
        self.margin_db: Floats = np.zeros(links)
        self._less_db = STEP_DB * target / (1 - target)
        self._reports: deque[_Report] = deque()

    def choose(self, reported_snr_db: Floats) -> Schemes:
        """Numbers of the schemes for the next packet, from the last reports of the SNR in dB, [links] each."""
        affordable = np.searchsorted(THRESHOLDS_DB, reported_snr_db - self.margin_db, side="right") - 1
        return np.maximum(affordable, 0)

    def sent(self, known_s: Floats, schemes: Schemes, lost: Bools) -> None:
        """Notes what became of a packet and when the sender learns of it, in seconds, never falling, [links] each."""
        change_db = np.where(lost, np.where(schemes > 0, STEP_DB, 0.0), -self._less_db)
        self._reports.append(_Report(float(known_s.min()), known_s.astype(np.float64), change_db))

    def learn(self, now_s: Floats) -> None:
        """Corrects the margins by what is known by now, [links] in seconds, never falling."""
        latest_s = now_s.max()
        for report in itertools.takewhile(lambda report: report.earliest_s <= latest_s, self._reports):
            due = report.known_s <= now_s
            corrected = np.clip(self.margin_db + report.change_db, LEAST_MARGIN_DB, GREATEST_MARGIN_DB)
            self.margin_db = np.where(due, corrected, self.margin_db)
            report.known_s[due] = np.inf
        while self._reports and np.all(np.isinf(self._reports[0].known_s)):
            self._reports.popleft()
