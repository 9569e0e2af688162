"""The end of a stream waits a moment for expected quality that is still being measured."""

from __future__ import annotations

from math import inf

from sender.manifests import Manifests

WAIT_S = 1.0
"""How long at most: no sender is kept from its next photo for longer."""

LOOK_S = 0.05
"""How often it is looked at meanwhile: it is measured by another thread."""


class LastWord:
    """Whether the end may be said.

    Fields:
        measuring: expected quality will be told, or this becomes False; may be set by another thread.
        holding: the end waits, and only what is due of the manifests may be sent.
        look_at: when to ask again while it waits, in seconds.
    """

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests
        self.measuring = self.holding = False
        self.look_at = self._wanted_at = inf

    def holds(self, now: float, *, wanted: bool) -> bool:
        """Asked whenever time has passed; `wanted`: all is sent or there is no more time, the end would be said now."""
        if not wanted:
            self.holding, self.look_at, self._wanted_at = False, inf, inf
            return False
        self._wanted_at = min(self._wanted_at, now)
        until = self._wanted_at + WAIT_S
        self.look_at = min(now + LOOK_S, until) if self.measuring else until
        owed = not self.measuring and (self._manifests.hurry() or self.holding) and self._manifests.is_due
        self.holding = now < until and (self.measuring or owed)
        return self.holding
