"""How packets are brought over: the deliveries of the experiments, by name. Another one is one more line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.assumed_losses import believed_losses, link_of
from experiments.case import Conditions, Parameters
from experiments.deliveries.equal import schedule_equal
from experiments.deliveries.planned import schedule_by_policy
from experiments.deliveries.retransmission import send_again
from experiments.deliveries.schedule import Delivered, Schedule, send
from experiments.links import Links
from experiments.material import Material
from progressive.loss_model import LossModel

REDUNDANCIES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
INTERLEAVINGS = ((4, 1), (8, 1), (16, 1), (32, 1), (64, 1), (8, 2), (16, 2), (32, 2), (8, 4), (16, 4))
"""Source packets of a block, and blocks that are interleaved."""

FIRST_TIERS = (8, 16, 32)
"""Source packets of the first block after the base."""

Scheduler = Callable[[Material, Conditions, Parameters], Schedule]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A way to bring packets over.

    Fields:
        summary: what it does, in a line.
        schedule: all that is sent, planned before anything is; None if the sender reacts to losses.
        variants: its own parameters to try, beside those given.
    """

    summary: str
    schedule: Scheduler | None
    variants: Callable[[Parameters], Sequence[Parameters]] = lambda parameters: [parameters]

    def deliver(
        self,
        material: Material,
        conditions: Conditions,
        parameters: Parameters,
        links: Links,
        trials: int,
    ) -> Delivered:
        """Sends the packets over all links."""
        if self.schedule is None:
            delay_s = link_of(conditions).delay_s
            return send_again(
                material,
                links,
                trials,
                bandwidth_bps=conditions.bandwidth_bps,
                deadline_s=conditions.deadline_s,
                delay_s=delay_s,
            )
        schedule = self.schedule(material, conditions, parameters)
        return send(schedule, material, links, trials, conditions.bandwidth_bps)


def _none(material: Material, conditions: Conditions, _parameters: Parameters) -> Schedule:
    return schedule_by_policy("none", material, conditions.budget_bytes, LossModel(0.0))


def _planned(material: Material, conditions: Conditions, parameters: Parameters) -> Schedule:
    losses = believed_losses(conditions, parameters.packet_size)
    return schedule_by_policy("auto", material, conditions.budget_bytes, losses, parameters.objective, parameters.block)


def _equal(material: Material, conditions: Conditions, parameters: Parameters) -> Schedule:
    assert parameters.redundancy is not None
    assert parameters.block is not None
    assert parameters.depth is not None
    return schedule_equal(material, conditions.budget_bytes, parameters.redundancy, parameters.block, parameters.depth)


def _equal_variants(parameters: Parameters) -> Sequence[Parameters]:
    return [
        replace(parameters, redundancy=redundancy, block=block, depth=depth)
        for redundancy in REDUNDANCIES
        for block, depth in INTERLEAVINGS
    ]


def _planned_variants(parameters: Parameters) -> Sequence[Parameters]:
    return [replace(parameters, block=block) for block in FIRST_TIERS]


DELIVERIES: dict[str, Delivery] = {
    "none": Delivery("every packet once", _none),
    "equal": Delivery(
        "interleaved Reed-Solomon blocks of equal redundancy, the time left filled", _equal, _equal_variants
    ),
    "planned": Delivery(
        "parity and slots by the planner, which knows what each packet is worth", _planned, _planned_variants
    ),
    "retransmission": Delivery("lost packets again one round trip later, with perfect feedback", None),
}
