"""From what a receiver counted to the losses that the planner assumes, and those of them that are worth parity now."""

from __future__ import annotations

from progressive.loss_model import LossModel

PRIOR_PACKETS = 40
"""Weight of what was assumed before: as if so many packets had been counted with just those losses. At 10 % loss in
bursts of five that is less than one burst, so the first seconds of a stream do not swing the plan."""

MAX_LOSS = 0.6
MAX_BURST = 50.0
"""What is believed at most: beyond it a plan would be nothing but parity of the base."""


REPORT_S = 0.75
"""A loss is told of this long after it at the most, the way there and back apart."""


def unanswered(losses: LossModel, *, left_s: float, lag_s: float) -> LossModel:
    """The losses to send parity for in advance where one receiver reports: those that it would tell of too late.

    Packets for all others are sent once it is known that they are needed. With parity for a quarter or half of these as
    well, photos set aside for such choices ended worse over EP2, EP4 and EP5, and were no better on the way.

    Args:
        losses: that are expected.
        left_s: time until the deadline.
        lag_s: how old the news in a report are.
    """
    loss = losses.loss * min(1.0, (REPORT_S + lag_s) / max(left_s, REPORT_S))
    return LossModel(loss, None if losses.burst is None else max(1.0, losses.burst, loss / (1 - loss)))


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
    mean_burst = all_lost / bursts if bursts else MAX_BURST  # losses so rare that their bursts round to none
    return LossModel(loss, max(1.0, loss / (1 - loss), min(MAX_BURST, mean_burst)))
