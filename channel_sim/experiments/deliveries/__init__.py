"""How packets are brought over: the deliveries of the experiments, by name. Another one is one more line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from channel_sim.experiments.believed import believed_losses, link_of
from channel_sim.experiments.case import Conditions, Parameters
from channel_sim.experiments.deliveries.equal import schedule_equal
from channel_sim.experiments.deliveries.planned import schedule_by_policy
from channel_sim.experiments.deliveries.retransmission import send_again
from channel_sim.experiments.deliveries.schedule import Delivered, Schedule, send
from channel_sim.experiments.links import Links
from channel_sim.experiments.material import Material
from progressive.loss_model import LossModel

REDUNDANCIES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
INTERLEAVINGS = ((4, 1), (8, 1), (16, 1), (32, 1), (8, 2), (16, 2), (32, 2), (8, 4), (16, 4))
"""Source packets of a block, and blocks that are interleaved."""

Scheduler = Callable[[Material, Conditions, Parameters], Schedule]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A way to bring packets over.

    Fields:
        summary: what it does, in a line.
        schedule: all that is sent, planned before anything is; None if the sender reacts to losses.
        searched: redundancy and interleaving are parameters that are searched for.
    """

    summary: str
    schedule: Scheduler | None
    searched: bool = False

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

    def variants(self, parameters: Parameters) -> Sequence[Parameters]:
        """Its own parameters to try, beside these."""
        if not self.searched:
            return [parameters]
        return [
            replace(parameters, redundancy=redundancy, block=block, depth=depth)
            for redundancy in REDUNDANCIES
            for block, depth in INTERLEAVINGS
        ]


def _none(material: Material, conditions: Conditions, _parameters: Parameters) -> Schedule:
    return schedule_by_policy("none", material, conditions.budget_bytes, LossModel(0.0))


def _planned(material: Material, conditions: Conditions, parameters: Parameters) -> Schedule:
    losses = believed_losses(conditions, parameters.packet_size)
    return schedule_by_policy("auto", material, conditions.budget_bytes, losses, parameters.objective)


def _equal(material: Material, conditions: Conditions, parameters: Parameters) -> Schedule:
    assert parameters.redundancy is not None
    assert parameters.block is not None
    assert parameters.depth is not None
    return schedule_equal(material, conditions.budget_bytes, parameters.redundancy, parameters.block, parameters.depth)


DELIVERIES: dict[str, Delivery] = {
    "none": Delivery("every packet once", _none),
    "equal": Delivery(
        "interleaved Reed-Solomon blocks of equal redundancy, the time left filled", _equal, searched=True
    ),
    "planned": Delivery("parity and slots by the planner, which knows what each packet is worth", _planned),
    "retransmission": Delivery("lost packets again one round trip later, with perfect feedback", None),
}
