"""From what a receiver counted to the losses that the planner assumes."""

from __future__ import annotations

from progressive.loss_model import LossModel

PRIOR_PACKETS = 40
"""Weight of what was assumed before: as if so many packets had been counted with just those losses. At 10 % loss in
bursts of five that is less than one burst, so the first seconds of a stream do not swing the plan."""

MAX_LOSS = 0.6
MAX_BURST = 50.0
"""What is believed at most: beyond it a plan would be nothing but parity of the base."""


def estimate_losses(assumed: LossModel, *, sent: int, lost: int, burst: float) -> LossModel:
    """The losses to plan for: the counts of a receiver pooled with those of `PRIOR_PACKETS` packets as assumed before.

    Args:
        assumed: before anything was counted.
        sent: packets that were sent.
        lost: those of them that did not arrive.
        burst: mean number of packets lost in a row; ignored if none was lost.
    """
    prior_lost = PRIOR_PACKETS * assumed.loss
    all_lost = lost + prior_lost
    if not all_lost:
        return assumed
    loss = min(MAX_LOSS, all_lost / (sent + PRIOR_PACKETS))
    bursts = prior_lost * assumed.to_good + (lost / max(1.0, burst) if lost else 0.0)
    return LossModel(loss, max(1.0, loss / (1 - loss), min(MAX_BURST, all_lost / bursts)))
