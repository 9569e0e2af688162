import math

import numpy as np
import pytest
from materials import PACKET, chain, star, whole
from numpy.random import SeedSequence
from scipy.stats import binom, nbinom

from experiments.assumed_losses import link_of
from experiments.case import Conditions, Parameters
from experiments.deliveries import DELIVERIES
from experiments.deliveries.equal import schedule_equal
from experiments.deliveries.schedule import PARITY, Schedule, there_s
from experiments.links import open_links
from experiments.material import Material
from experiments.systems import attempt
from progressive.wire.protection import BlockShape, Plan, Slot

TRIALS = 20_000
SEARCHED = Parameters(redundancy=0.5, block=4, depth=1)


def share_shown(
    material: Material, delivery: str, channel: str, slots: int, parameters: Parameters = SEARCHED, delay: str = ""
) -> float:
    """At 1,000 bytes a second, a packet a second."""
    conditions = Conditions(channel + delay, 8000, slots)
    links = open_links(link_of(conditions), TRIALS, 200, seed=SeedSequence(1))
    return float(attempt(delivery, material, conditions, parameters, links, TRIALS).shown.mean())


def within(share: float, expected: float) -> bool:
    """Four standard errors."""
    return abs(share - expected) <= 4 * math.sqrt(expected * (1 - expected) / TRIALS) + 1e-12


def test_unprotected_packets_must_all_arrive() -> None:
    assert within(share_shown(whole(6), "none", "loss:10%", 10), 0.9**6)


def test_equal_protection_restores_a_block_of_which_k_packets_arrive() -> None:
    share = share_shown(whole(8), "equal", "loss:20%", 12, Parameters(redundancy=0.5, block=8, depth=1))
    assert within(share, float(binom.sf(7, 12, 0.8)))


def test_equal_protection_of_several_blocks_must_restore_them_all() -> None:
    share = share_shown(whole(8), "equal", "loss:20%", 12, Parameters(redundancy=0.5, block=4, depth=2))
    assert within(share, float(binom.sf(3, 6, 0.8)) ** 2)


def test_planned_protection_of_one_block_fills_the_time_with_its_parity() -> None:
    assert within(share_shown(whole(4), "planned", "loss:30%", 9), float(binom.sf(3, 9, 0.7)))


def test_retransmission_needs_as_many_slots_as_a_negative_binomial() -> None:
    share = share_shown(whole(5), "retransmission", "loss:50%", 12)
    assert within(share, float(nbinom.cdf(12 - 5, 5, 0.5)))


def test_retransmission_waits_for_a_round_trip() -> None:
    # tries end at 1, 4, 7, 10 s: one second of sending, two of waiting
    share = share_shown(whole(1), "retransmission", "loss:50%", 10, delay="+delay:1s")
    assert within(share, 1 - 0.5**4)


def test_retransmission_sends_new_packets_while_it_waits() -> None:
    conditions = Conditions("loss:50%+delay:1s", 8000, 40)
    links = open_links(link_of(conditions), 200, 300, seed=SeedSequence(1))
    delivered = DELIVERIES["retransmission"].deliver(chain(4), conditions, Parameters(), links, 200)
    first_lost = delivered.there_s[:, 0] > 2
    second_at_once = delivered.there_s[:, 1] == 3
    assert within_of(first_lost & second_at_once, 0.25)
    again_s = delivered.there_s[first_lost, 0]
    assert (
        again_s.min() == 5
    )  # lost by 1 s, known to be so at 3 s, the packet after it being sent until then: 3 + 1 + 1


def within_of(events: np.ndarray, expected: float) -> bool:
    return abs(events.mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / len(events))


def test_retransmission_sends_nothing_more_once_all_has_arrived() -> None:
    conditions = Conditions("none", 8000, 40)
    links = open_links(link_of(conditions), 3, 100, seed=SeedSequence(1))
    delivered = DELIVERIES["retransmission"].deliver(chain(4), conditions, Parameters(), links, 3)
    assert delivered.sent_bytes.tolist() == [4 * PACKET] * 3
    assert delivered.redundancy.tolist() == [0] * 3


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("material", [chain(30), star(29), whole(12)], ids=["chain", "star", "whole"])
def test_no_delivery_sends_more_than_the_bandwidth_pays_for(delivery: str, material: Material) -> None:
    conditions = Conditions("ep6", 8000, 20.7)
    links = open_links(link_of(conditions), 100, 300, seed=SeedSequence(1))
    delivered = DELIVERIES[delivery].deliver(material, conditions, SEARCHED, links, 100)
    assert delivered.sent_bytes.max() <= conditions.budget_bytes
    arrived_s = delivered.there_s[np.isfinite(delivered.there_s)]
    assert arrived_s.max() <= 20.7


def test_the_same_losses_meet_every_delivery() -> None:
    conditions = Conditions("ep4", 8000, 12)
    shown = {}
    for delivery in ("none", "equal"):
        links = open_links(link_of(conditions), 500, 100, seed=SeedSequence(1))
        parameters = Parameters(redundancy=0.0, block=12, depth=1)
        shown[delivery] = attempt(delivery, chain(12), conditions, parameters, links, 500).psnr
    assert shown["none"].tolist() == shown["equal"].tolist()


def test_interleaving_keeps_neighbours_apart() -> None:
    schedule = schedule_equal(chain(12), 100 * PACKET, redundancy=0.5, block=3, depth=2)
    first_pass = 18
    assert schedule.source[:first_pass].tolist() == [*range(6), *[PARITY] * 3, *range(6, 12), *[PARITY] * 3]
    assert [own.tolist() for own in schedule.members[:2]] == [[0, 2, 4], [1, 3, 5]]
    assert schedule.block[:8].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert (schedule.source[first_pass:] == PARITY).all()
    assert schedule.sizes.sum() == 100 * PACKET


def test_a_burst_as_long_as_the_depth_costs_each_block_one_packet() -> None:
    for depth, restored in ((2, True), (1, False)):
        schedule = schedule_equal(chain(8), 10 * PACKET, 0.25, 4, depth)
        arrival_s = np.arange(len(schedule.sizes), dtype=np.float64)[None].repeat(2, axis=0)
        arrival_s[0, 2:4] = math.inf  # two sources in a row
        there = there_s(schedule, arrival_s, 8)
        assert np.isfinite(there[0]).all() == restored
        assert np.isfinite(there[1]).all()


def test_a_restored_source_is_there_with_the_packet_that_completes_its_block() -> None:
    plan = Plan((Slot(0, 0), Slot(0, 1), Slot(1, 0), Slot(0, 2)), (10,) * 4, (2, 1))
    schedule = Schedule.of(plan, [BlockShape(0, (10, 10)), BlockShape(1, (10,))])
    there = there_s(schedule, np.array([[1, math.inf, 3, 4.0], [1, 2, math.inf, 4], [1, math.inf, 3, math.inf]]), 3)
    assert there.tolist() == [[1, 4, 3], [1, 2, math.inf], [1, math.inf, 3]]


def test_sources_that_the_deadline_cuts_off_are_not_counted_to_their_block() -> None:
    schedule = schedule_equal(chain(8), 5 * PACKET, redundancy=0.0, block=4, depth=1)
    assert [own.tolist() for own in schedule.members] == [[0, 1, 2, 3], [4]]
