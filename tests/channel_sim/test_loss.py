import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.loss import LossProcess, draw_trials
from channel_sim.presets import PRESETS
from progressive.loss_model import LossModel

PACKETS = 1_000_000
LOSSY = {name: preset.settings.loss for name, preset in PRESETS.items() if preset.settings.loss is not None}


def burst_lengths(lost: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize("name", LOSSY)
def test_presets_lose_as_many_packets_in_bursts_as_long_as_they_promise(name: str) -> None:
    model = LOSSY[name]
    assert model.burst is not None
    lost = LossProcess(model, seed=1).draw(PACKETS)

    memory = 1 - model.to_good - model.to_bad
    variance_of_mean = model.loss * (1 - model.loss) / PACKETS * (1 + memory) / (1 - memory)
    assert abs(lost.mean() - model.loss) < 3 * math.sqrt(variance_of_mean)

    bursts = burst_lengths(lost)
    variance_of_mean = model.burst * (model.burst - 1) / len(bursts)
    assert abs(bursts.mean() - model.burst) < 3 * math.sqrt(variance_of_mean)


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.7])
def test_bernoulli_losses_have_the_mean_and_no_memory(loss: float) -> None:
    lost = LossProcess(LossModel(loss), seed=2).draw(PACKETS)
    three_errors = 3 * math.sqrt(loss * (1 - loss) / PACKETS)
    assert abs(lost.mean() - loss) <= three_errors
    after_loss = lost[1:][lost[:-1]]
    if loss:
        assert abs(after_loss.mean() - loss) < 3 * math.sqrt(loss * (1 - loss) / len(after_loss))


@pytest.mark.parametrize("model", [*LOSSY.values(), LossModel(0.3), LossModel(0.45, 1.0)])
def test_vectorised_steps_follow_the_chain_written_as_a_loop(model: LossModel) -> None:
    rng = np.random.default_rng(5)
    bad, expected = bool(rng.random() < model.loss), []
    for uniform in rng.random(2000):
        bad = bool(uniform < (1 - model.to_good if bad else model.to_bad))
        expected.append(bad)
    assert LossProcess(model, seed=5).draw(2000).tolist() == expected


@given(st.lists(st.integers(0, 9), max_size=20), st.sampled_from([*LOSSY.values(), LossModel(0.3)]), st.integers(0, 99))
def test_fates_do_not_depend_on_how_many_are_drawn_at_once(batches: list[int], model: LossModel, seed: int) -> None:
    one_by_one, batched = LossProcess(model, seed=seed), LossProcess(model, seed=seed)
    singly = [one_by_one.next_is_lost() for _ in range(sum(batches))]
    assert [bool(lost) for batch in batches for lost in batched.draw(batch)] == singly


def test_trials_are_seeded_stationary_and_independent() -> None:
    model = LossModel(0.2, 10)
    fates = draw_trials(model, 20_000, 30, seed=1)
    assert np.array_equal(fates, draw_trials(model, 20_000, 30, seed=1))
    assert not np.array_equal(fates, draw_trials(model, 20_000, 30, seed=2))
    four_errors = 4 * math.sqrt(0.2 * 0.8 / 20_000)
    assert np.all(np.abs(fates.mean(axis=0) - 0.2) < four_errors)
    neighbours = np.corrcoef(fates[:-1, -1], fates[1:, 0])[0, 1]
    assert abs(neighbours) < 4 / math.sqrt(20_000)
