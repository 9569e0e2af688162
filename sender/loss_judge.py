"""Whether packets are lost in the air or because more is sent than the link takes: less is sent for a while, to see."""

from __future__ import annotations

from math import exp, inf

WORTH_JUDGING = 0.08
"""A share of losses that is looked into, and a change of it that is looked into again."""

MEMORY_PACKETS = 60.0
"""The share that is lost is a mean over about so many packets."""

FIRST_PACKETS = 30
"""Fewer are not enough to look into."""

TRIAL_PACKETS, TRIAL_S = 20, 3.0
TRIAL_FACTOR = 0.85
"""In a trial so many packets are sent, or as many as go in so long a time, at this part of the rate at which packets
have arrived lately."""

JUDGED_S = 10.0
"""How long a full link is held to be one."""

SMOOTHING = 1 / 8
"""Weight of each new measurement of that rate."""


class LossJudge:
    """Losses that stay when less is sent are the air's; those that go were the link's.

    Fields:
        share: of the packets lately that did not arrive, 0..1.
        most_bps: what may be sent, in a trial or after one; infinite otherwise.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.most_bps = inf
        self._arrived_bps = 0.0
        self._sent = self._lost = 0.0
        self._count = 0
        self._trial_s: float | None = None
        self._trial_sent = self._trial_lost = 0
        self._judged = 0.0
        self._judged_until_s = -inf

    def note_queue(self, now: float) -> None:
        """The queue was as long as it may be, so packets are not lost for want of a longer one."""
        self._judged_until_s = now + JUDGED_S
        self._trial_s, self.most_bps = None, inf

    def take(self, sent: int, lost: int, arrived_bps: float, left_s: float, now: float) -> None:
        """Of `sent` packets, the first of which left at `left_s`, `lost` did not arrive; others do at `arrived_bps`."""
        kept = exp(-sent / MEMORY_PACKETS)
        self._sent, self._lost = self._sent * kept + sent, self._lost * kept + lost
        self.share = self._lost / max(self._sent, FIRST_PACKETS)
        self._arrived_bps += (arrived_bps - self._arrived_bps) * (SMOOTHING if self._arrived_bps else 1.0)
        if self._trial_s is not None:
            self._try_on(sent, lost, left_s, now)
        elif now >= self._judged_until_s:
            self.most_bps = inf
            self._count += sent
            if self._count >= FIRST_PACKETS and self.share > self._judged + WORTH_JUDGING:
                self._trial_s, self._trial_sent, self._trial_lost = now, 0, 0
                self.most_bps = TRIAL_FACTOR * self._arrived_bps

    def _try_on(self, sent: int, lost: int, left_s: float, now: float) -> None:
        """Counts what was sent in the trial; with enough of it the trial is over."""
        if self._trial_s is None or left_s < self._trial_s:
            return
        self._trial_sent += sent
        self._trial_lost += lost
        if self._trial_sent < TRIAL_PACKETS and now - self._trial_s < TRIAL_S:
            return
        share = self._trial_lost / self._trial_sent
        self._trial_s = None
        if share < self.share / 2:
            self._judged, self._judged_until_s = 0.0, now + JUDGED_S
            self._sent, self._lost = float(self._trial_sent), float(self._trial_lost)
            self.most_bps /= TRIAL_FACTOR
        else:
            self._judged, self.most_bps = self.share, inf
