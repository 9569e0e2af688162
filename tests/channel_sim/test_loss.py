import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.loss import GilbertElliott, LossProcess, LossSettings, TimedBursts, draw_trials
from channel_sim.presets import PRESETS
from progressive.errors import UsageError
from progressive.loss_model import LossModel

PACKETS = 1_000_000
LOSSY = {name: preset.settings.loss for name, preset in PRESETS.items() if isinstance(preset.settings.loss, LossModel)}
HIDDEN = GilbertElliott(p=0.05, r=0.2, h=0.4, k=0.98)


def burst_lengths(lost: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


def share_errors(lost: np.ndarray, expected: float, memory: float) -> float:
    """How many standard errors the share of losses is from what is expected, by the chain's own variance."""
    variance_of_mean = expected * (1 - expected) / lost.size * (1 + memory) / (1 - memory)
    return float((lost.mean() - expected) / math.sqrt(variance_of_mean))


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


ALL_KINDS = [*LOSSY.values(), LossModel(0.3), HIDDEN, TimedBursts(0.2, 0.05)]


@given(st.lists(st.lists(st.floats(0, 0.2), max_size=9), max_size=20), st.sampled_from(ALL_KINDS), st.integers(0, 99))
def test_fates_do_not_depend_on_how_many_are_drawn_at_once(
    batches: list[list[float]], settings: LossSettings, seed: int
) -> None:
    one_by_one, batched = LossProcess(settings, seed=seed), LossProcess(settings, seed=seed)
    times_s = np.cumsum([gap for batch in batches for gap in batch])
    singly = [one_by_one.next_is_lost(float(now)) for now in times_s]
    ends = np.cumsum([len(batch) for batch in batches], dtype=int)
    assert [bool(lost) for batch in np.split(times_s, ends) for lost in batched.draw(batch)] == singly


@pytest.mark.parametrize("settings", ALL_KINDS)
def test_long_draws_continue_where_short_ones_end(settings: LossSettings) -> None:
    times_s = np.arange(300_000) * 0.01
    process = LossProcess(settings, seed=1)
    pieces = [process.draw(piece) for piece in np.split(times_s, [1, 1000, 140_000])]
    assert np.array_equal(np.concatenate(pieces), LossProcess(settings, seed=1).draw(times_s))


def test_trials_are_seeded_stationary_and_independent() -> None:
    model = LossModel(0.2, 10)
    fates = draw_trials(model, 20_000, 30, seed=1)
    assert np.array_equal(fates, draw_trials(model, 20_000, 30, seed=1))
    assert not np.array_equal(fates, draw_trials(model, 20_000, 30, seed=2))
    four_errors = 4 * math.sqrt(0.2 * 0.8 / 20_000)
    assert np.all(np.abs(fates.mean(axis=0) - 0.2) < four_errors)
    neighbours = np.corrcoef(fates[:-1, -1], fates[1:, 0])[0, 1]
    assert abs(neighbours) < 4 / math.sqrt(20_000)


def test_the_four_parameters_without_h_and_k_are_the_chain_by_loss_and_burst() -> None:
    model = LossModel(0.1, 5)
    chain = GilbertElliott(p=model.to_bad, r=model.to_good)
    assert (chain.loss, chain.burst) == pytest.approx((0.1, 5))


def test_four_parameters_give_the_loss_and_burst_worked_out_by_hand() -> None:
    """A fifth of the packets meet the bad state, in which 0.6 are lost, as 0.02 of the others."""
    assert HIDDEN.loss == pytest.approx(0.2 * 0.6 + 0.8 * 0.02)
    after_good, after_bad = 0.95 * 0.98 + 0.05 * 0.4, 0.2 * 0.98 + 0.8 * 0.4
    assert HIDDEN.burst == pytest.approx(HIDDEN.loss / (0.8 * 0.02 * after_good + 0.2 * 0.6 * after_bad))
    assert GilbertElliott(0.5, 0.5, h=1).burst == 0
    assert GilbertElliott(0.5, 0.5, k=0).burst == math.inf


@pytest.mark.parametrize("chain", [HIDDEN, GilbertElliott(0.9, 0.8, 0.3, 0.9)])
def test_four_parameter_losses_have_the_mean_and_the_burst_they_promise(chain: GilbertElliott) -> None:
    """A million packets, within 3 standard errors by the variance of 1,000 batches of 1,000."""
    lost = LossProcess(chain, seed=3).draw(PACKETS)
    batches = lost.reshape(1000, -1).mean(axis=1)
    assert abs(lost.mean() - chain.loss) < 3 * batches.std() / math.sqrt(1000)
    bursts = burst_lengths(lost)
    assert abs(bursts.mean() - chain.burst) < 3 * bursts.std() / math.sqrt(len(bursts))


@pytest.mark.parametrize("interval_s", [0.0005, 0.02, 3.0])
def test_bursts_in_time_cost_the_same_share_of_packets_whatever_their_spacing(interval_s: float) -> None:
    """300,000 packets, within 3 standard errors; a chain by packets would lose bursts of a fixed number of them."""
    bursts = TimedBursts(0.1, 0.05)
    lost = LossProcess(bursts, seed=4).draw(np.arange(300_000) * interval_s)
    memory = math.exp(-interval_s / (0.05 * 0.9))
    assert abs(share_errors(lost, 0.1, memory)) < 3
    lengths = burst_lengths(lost)
    mean_length = 1 / (0.9 * (1 - memory))
    assert abs(lengths.mean() - mean_length) < 3 * math.sqrt(mean_length * (mean_length - 1) / len(lengths))


def test_bursts_in_time_last_as_long_as_they_should() -> None:
    """Sampled every 0.1 ms for 100 s: bad for 50 ms in a row on average, good for 450 ms, both exponentially."""
    lost = LossProcess(TimedBursts(0.1, 0.05), seed=5).draw(np.arange(1_000_000) * 1e-4)
    for state, mean_s in ((lost, 0.05), (~lost, 0.45)):
        lengths_s = burst_lengths(state) * 1e-4
        assert abs(lengths_s.mean() - mean_s) < 3 * mean_s / math.sqrt(len(lengths_s))
        longer = np.mean(lengths_s > mean_s)
        assert abs(longer - math.exp(-1)) < 3 * math.sqrt(0.37 * 0.63 / len(lengths_s))


def test_packets_sent_at_once_share_their_fate_in_bursts_in_time() -> None:
    lost = LossProcess(TimedBursts(0.4, 0.001), seed=6).draw(np.repeat(np.arange(1000.0), 5)).reshape(-1, 5)
    assert np.all(lost == lost[:, :1])
    assert 0.3 < lost.mean() < 0.5


def test_many_trials_in_time_are_as_one_trial_each() -> None:
    """20,000 trials: losses at each of 5 irregular times, and of each pair of them, within 4 standard errors."""
    times_s = np.array([0.0, 0.01, 0.012, 0.1, 0.5])
    fates = draw_trials(TimedBursts(0.3, 0.02), 20_000, times_s, seed=1)
    memory = np.exp(-np.abs(times_s[:, None] - times_s) / (0.02 * 0.7))
    both = 0.3 * (0.3 + 0.7 * memory)
    measured = fates.T.astype(float) @ fates / 20_000
    assert np.all(np.abs(measured - both) < 4 * np.sqrt(both * (1 - both) / 20_000))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GilbertElliott(1.2, 0.5), "parameter p of 1.2 is out of range: use 0 to 1"),
        (lambda: GilbertElliott(0.1, 0.5, h=math.nan), "parameter h of nan"),
        (lambda: GilbertElliott(0.0, 0.0), "never leaves"),
        (lambda: TimedBursts(1.2, 0.1), "use 0 up to, not including, 1"),
        (lambda: TimedBursts(0.2, 0.0), "use 1e-06 to 3600 s"),
        (lambda: draw_trials(TimedBursts(0.2, 0.1), 3, 5, seed=0), "give their times"),
        (lambda: LossProcess(LossModel(0.2), seed=0).draw(np.array([1.0, 0.5])), "times that never fall"),
    ],
)
def test_impossible_losses_are_refused(make: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()  # type: ignore[operator]


def test_losses_are_told_in_words() -> None:
    assert str(LossModel(0.1, 5)) == "loss 10% in bursts of 5 packets"
    assert str(TimedBursts(0.1, 0.2)) == "loss 10% in bursts of 200 ms"
    assert str(HIDDEN) == "Gilbert-Elliott losses (p 0.05, r 0.2, h 0.4, k 0.98)"
