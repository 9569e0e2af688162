import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.loss import draw_trials
from progressive.errors import UsageError
from progressive.loss_model import LossModel, parse_loss_model

models = st.builds(
    lambda loss, slack: LossModel(loss, max(1.0, loss / (1 - loss)) + slack), st.floats(0.01, 0.9), st.floats(0, 20)
) | st.builds(LossModel, st.floats(0, 0.95))


def enumerated(model: LossModel, slots: list[int]) -> list[float]:
    """The same distribution by summing the probability of every fate of every packet."""
    totals = [0.0] * (len(slots) + 1)
    for fates in itertools.product([False, True], repeat=slots[-1] + 1 if slots else 0):
        probability, before = 1.0, None
        for lost in fates:
            bad = model.loss if before is None else (1 - model.to_good if before else model.to_bad)
            probability *= bad if lost else 1 - bad
            before = lost
        totals[sum(not fates[slot] for slot in slots)] += probability
    return totals


@given(models, st.sets(st.integers(0, 8), max_size=6))
def test_received_distribution_is_exact(model: LossModel, slots: set[int]) -> None:
    ordered = sorted(slots)
    assert model.received_distribution(ordered) == pytest.approx(enumerated(model, ordered), abs=1e-12)


@given(models, st.sets(st.integers(0, 500), min_size=1, max_size=60))
def test_received_distribution_has_the_mean_of_the_loss(model: LossModel, slots: set[int]) -> None:
    distribution = model.received_distribution(sorted(slots))
    assert distribution.sum() == pytest.approx(1)
    assert distribution.min() >= -1e-12
    assert distribution @ np.arange(len(slots) + 1) == pytest.approx(len(slots) * (1 - model.loss))


def test_received_distribution_agrees_with_simulation() -> None:
    model, slots, trials = LossModel(0.1, 5), [0, 1, 2, 3, 11, 19, 27, 35, 43], 100_000
    arrived = (~draw_trials(model, trials, 44, seed=6))[:, slots].sum(axis=1)
    exact = model.received_distribution(slots)
    for count, probability in enumerate(exact):
        error = math.sqrt(probability * (1 - probability) / trials)
        assert abs((arrived == count).mean() - probability) <= 4 * error + 1 / trials


@pytest.mark.parametrize(
    ("loss", "burst"), [(1.0, None), (-0.1, None), (math.nan, None), (0.1, 0.5), (0.1, math.nan), (0.9, 2.0)]
)
def test_impossible_chains_are_refused(loss: float, burst: float | None) -> None:
    with pytest.raises(UsageError):
        LossModel(loss, burst)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("loss=10%,burst=5", LossModel(0.1, 5)),
        ("burst=1.6, loss=0.031", LossModel(0.031, 1.6)),
        ("loss=3%", LossModel(0.03)),
    ],
)
def test_losses_are_read_from_words(text: str, model: LossModel) -> None:
    assert parse_loss_model(text) == model


@pytest.mark.parametrize(
    "text",
    ["", "10%", "burst=5", "loss=10%,loss=5%", "loss=10%,burst=x", "loss=100%", "loss=10%,burst=inf", "loss=5,burst=3"],
)
def test_losses_that_cannot_be_read_are_refused_in_a_line(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_loss_model(text)
    assert "\n" not in str(refusal.value)
    assert "use " in str(refusal.value) or "must" in str(refusal.value)
