from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.wire.protection import BlockShape, Goal, Plan, Slot, plan_protection, probability_of_block

DESIGN = LossModel(0.10, 5)
SIZES = st.lists(st.integers(100, 1100), min_size=1, max_size=32).map(tuple)


def shapes_of(base, total, size=1100):
    """A base and tiers of 8, 16, 32, .. packets behind it, `total` packets in all."""
    shapes, left, tier = [BlockShape(0, (size,) * base)], total - base, 1
    while left:
        k = min(left, 8 << (tier - 1), 32)
        shapes.append(BlockShape(tier, (size,) * k))
        left, tier = left - k, tier + 1
    return shapes


@st.composite
def streams(draw):
    sizes = draw(st.lists(SIZES, min_size=1, max_size=4))
    first_layer = draw(st.integers(0, 1))
    return [BlockShape(layer, block) for layer, block in enumerate(sizes, start=first_layer)]


GOALS = st.builds(Goal, st.integers(1100, 200_000), st.none() | st.floats(0, 2))


@given(streams(), GOALS, st.sampled_from(["auto", "equal", "none"]))
def test_plans_keep_to_the_budget_and_send_each_packet_once(blocks, goal, policy):
    plan = plan_protection(policy, blocks, goal)
    assert sum(plan.sizes) <= goal.budget_bytes
    assert len(set(plan.slots)) == len(plan.slots) == len(plan.sizes)
    for b, shape in enumerate(blocks):
        own = [plan.slots[position].index for position in plan.slots_of(b)]
        k = plan.sources[b]
        assert own[:k] == list(range(k)), "sources come first, in order"
        assert own[k:] == list(range(k, len(own))), "then parity"
        assert len(own) <= 256
        if k < shape.k:
            assert len(own) == k, "a block that the deadline cuts has no parity"
            assert not any(plan.sources[b + 1 :]), "only the tail is cut"


@given(streams(), st.integers(1100, 200_000), st.floats(0, 2), st.sampled_from(["auto", "equal"]))
def test_a_given_redundancy_is_not_exceeded(blocks, budget, redundancy, policy):
    plan = plan_protection(policy, blocks, Goal(budget, redundancy))
    parity = sum(plan.parity_bytes(b) for b in range(len(blocks)))
    assert parity <= redundancy * sum(sum(shape.sizes) for shape in blocks) + 1e-6


@pytest.mark.parametrize("policy", ["auto", "equal"])
def test_a_given_redundancy_is_used(policy):
    plan = plan_protection(policy, shapes_of(3, 40), Goal(10**6, 0.5))
    assert sum(plan.sources) == 40
    assert len(plan.slots) == 60


@pytest.mark.parametrize("policy", ["auto", "equal"])
def test_without_a_given_redundancy_parity_fills_the_budget(policy):
    plan = plan_protection(policy, shapes_of(3, 20), Goal(62_500))
    assert sum(plan.sources) == 20
    assert sum(plan.sizes) > 62_500 - 1100


def test_without_protection_only_sources_are_sent():
    plan = plan_protection("none", shapes_of(3, 20), Goal(10**6))
    assert plan.slots == tuple(Slot(b, i) for b, k in enumerate((3, 8, 9)) for i in range(k))


def test_equal_protection_gives_every_block_the_same_redundancy():
    blocks = shapes_of(4, 28)
    plan = plan_protection("equal", blocks, Goal(10**6, 0.5))
    assert [plan.parity_bytes(b) / sum(shape.sizes) for b, shape in enumerate(blocks)] == [0.5, 0.5, 0.5]


def test_auto_gives_the_base_most_and_later_tiers_little():
    blocks = shapes_of(2, 42)
    plan = plan_protection("auto", blocks, Goal(62_500))
    redundancy = [plan.parity_bytes(b) / sum(shape.sizes) for b, shape in enumerate(blocks)]
    assert redundancy == sorted(redundancy, reverse=True)
    assert redundancy[0] >= 1
    assert redundancy[1] > 1.5 * redundancy[2]


def test_the_base_comes_first_and_its_parity_is_spread_over_the_plan():
    plan = plan_protection("auto", shapes_of(4, 40), Goal(62_500))
    positions = plan.slots_of(0)
    assert positions[:4] == [0, 1, 2, 3]
    gaps = np.diff([*positions[3:], len(plan.slots)])
    assert gaps.max() <= 10
    assert gaps[0] >= 3, "a burst that takes the base must not take its parity"


@pytest.mark.parametrize("base", [1, 2, 3, 4])
def test_the_base_arrives_in_ten_seconds_at_50_kbit_s(base):
    """10 % loss in bursts of 5, packets of 1,100 bytes, nobody answers: 99.9 %, for at most 20 % of the bytes unless
    they are left over."""
    for total in range(max(8, base + 1), 51, 3):
        plan = plan_protection("auto", shapes_of(base, total), Goal(50_000 * 10 // 8))
        assert probability_of_block(plan, 0, DESIGN)[-1] >= 0.999
        if total >= 20:
            assert plan.parity_bytes(0) <= 0.2 * sum(plan.sizes)


def test_a_far_deadline_does_not_delay_the_repair_of_the_base():
    near = plan_protection("auto", shapes_of(2, 20), Goal(3 * 20 * 1100))
    far = plan_protection("auto", shapes_of(2, 20), Goal(100 * 20 * 1100))
    assert far.slots_of(0)[2] <= near.slots_of(0)[2] + 1


def test_heavier_losses_get_more_base_parity():
    light, heavy = (
        plan_protection("auto", shapes_of(2, 40), Goal(62_500, model=model)).parity_bytes(0)
        for model in (LossModel(0.01), LossModel(0.2, 5))
    )
    assert light < heavy


def test_a_stream_that_is_all_base_is_repeated():
    plan = plan_protection("auto", [BlockShape(0, (500, 500))], Goal(5000))
    assert plan.slots == tuple(Slot(0, i) for i in range(10))


@given(st.integers(1, 3), st.lists(st.booleans(), min_size=3, max_size=9), st.sampled_from([DESIGN, LossModel(0.3)]))
def test_probability_of_a_block_is_that_of_enumeration(k, mine, model):
    """Against the sum over all fates of all slots of the chain's probability of that fate."""
    slots, counts = [], [0, 0]
    for own in mine:
        slots.append(Slot(0 if own else 1, counts[not own]))
        counts[not own] += 1
    plan = Plan(tuple(slots), (1,) * len(slots), (k, 1))
    expected = np.zeros(len(slots))
    for fate in range(2 ** len(slots)):
        lost = [bool(fate >> i & 1) for i in range(len(slots))]
        probability = model.loss if lost[0] else 1 - model.loss
        for before, after in pairwise(lost):
            change = model.to_good if before else model.to_bad
            probability *= change if before != after else 1 - change
        arrived = np.cumsum([own and not gone for own, gone in zip(mine, lost, strict=True)])
        expected += probability * (arrived >= k)
    np.testing.assert_allclose(probability_of_block(plan, 0, model), expected, atol=1e-12)


def test_unknown_policies_and_empty_budgets_are_usage_errors():
    with pytest.raises(UsageError, match="auto, equal, none"):
        plan_protection("best", shapes_of(1, 8), Goal(10_000))
    with pytest.raises(UsageError, match="bandwidth"):
        plan_protection("auto", shapes_of(1, 8), Goal(1099))
