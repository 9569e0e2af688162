"""The two-state Gilbert-Elliott packet loss chain: what both the simulated links and the protection planner assume.

Packets are lost in the bad state and delivered in the good one; Bernoulli loss is the memoryless case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError
from progressive.units import format_percent, parse_percent


@dataclass(frozen=True, slots=True)
class LossModel:
    """A Gilbert-Elliott chain that advances by one step a packet, started in its stationary state.

    Fields:
        loss: mean share of packets lost, 0 <= loss < 1.
        burst: mean number of packets lost in a row, at least 1; None for independent losses (Bernoulli).
    """

    loss: float
    burst: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1:
            raise UsageError(f"a mean loss of {self.loss:.4g} is impossible: use 0 up to, not including, 1")
        if self.burst is not None and not 1 <= self.burst < math.inf:
            raise UsageError(f"a mean burst of {self.burst:.4g} packets is impossible: use 1 or more")
        shortest = self.loss / (1 - self.loss)
        if self.burst is not None and self.burst < shortest * (1 - 1e-9):
            raise UsageError(
                f"no chain has loss {self.loss:.4g} with bursts of only {self.burst:.4g} packets: "
                f"use bursts of {shortest:.4g} packets or more"
            )

    def __str__(self) -> str:
        """Such as 'loss 10% in bursts of 5 packets'."""
        bursts = "" if self.burst is None else f" in bursts of {self.burst:g} packets"
        return f"loss {format_percent(self.loss)}{bursts}"

    @property
    def to_good(self) -> float:
        """Probability that a lost packet is followed by a delivered one."""
        return 1 - self.loss if self.burst is None else 1 / self.burst

    @property
    def to_bad(self) -> float:
        """Probability that a delivered packet is followed by a lost one."""
        return self.loss if self.burst is None else min(1.0, self.to_good * self.loss / (1 - self.loss))

    def received_distribution(self, slots: Sequence[int]) -> NDArray[np.float64]:
        """Exact distribution of how many of the packets sent in these slots arrive, [len(slots) + 1].

        Args:
            slots: strictly rising packet numbers; the chain also advances over the packets in between.
        """
        memory = 1 - self.to_good - self.to_bad
        good, bad = np.zeros(len(slots) + 1), np.zeros(len(slots) + 1)
        good[0], bad[0] = 1 - self.loss, self.loss
        previous = None
        for slot in slots:
            if previous is not None:
                decay = memory ** (slot - previous)
                total = good + bad
                good = (1 - self.loss) * (1 - decay) * total + decay * good
                bad = total - good
            good[1:], good[0] = good[:-1].copy(), 0.0
            previous = slot
        return good + bad


def parse_loss_model(text: str) -> LossModel:
    """The losses that `loss=10%,burst=5` or `loss=3%` (independent) stand for; raises UsageError."""
    values: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in ("loss", "burst") or not equals or key in values:
            raise UsageError(f"losses {text[:40]!r} cannot be read: use loss=10%,burst=5, or loss=10% alone")
        values[key] = value
    if "loss" not in values:
        raise UsageError(f"losses {text[:40]!r} lack their share: use loss=10%,burst=5, or loss=10% alone")
    try:
        burst = float(values["burst"]) if "burst" in values else None
    except ValueError:
        raise UsageError(f"a mean burst of {values['burst'][:40]!r} packets: use a number, 1 or more") from None
    if burst is not None and not isfinite(burst):
        raise UsageError(f"a mean burst of {burst} packets is impossible: use a finite number, 1 or more")
    return LossModel(parse_percent(values["loss"]), burst)
