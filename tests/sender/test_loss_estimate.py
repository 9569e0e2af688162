import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.loss_model import LossModel
from sender.loss_estimate import (
    MAX_BURST,
    MAX_LOSS,
    PRIOR_PACKETS,
    REPORT_S,
    estimate_losses,
    unanswered,
)

ASSUMED = LossModel(0.1, 5)


def test_without_counts_the_assumption_stays():
    estimate = estimate_losses(ASSUMED, sent=0, lost=0, burst=0.0)
    assert (estimate.loss, estimate.burst) == (pytest.approx(0.1), pytest.approx(5))


def test_counts_are_pooled_with_those_of_the_assumption():
    # 40 packets with 4 lost in 0.8 bursts, and 60 with 16 lost in 8 bursts: 20 of 100 lost in 8.8.
    estimate = estimate_losses(ASSUMED, sent=60, lost=16, burst=2.0)
    assert PRIOR_PACKETS == 40
    assert estimate.loss == pytest.approx(0.2)
    assert estimate.burst == pytest.approx(20 / 8.8)


def test_many_packets_outweigh_the_assumption():
    estimate = estimate_losses(ASSUMED, sent=100_000, lost=3000, burst=1.5)
    assert estimate.loss == pytest.approx(0.03, rel=0.01)
    assert estimate.burst == pytest.approx(1.5, rel=0.01)


def test_a_perfect_link_that_was_assumed_stays_perfect_until_something_is_lost():
    assert estimate_losses(LossModel(0.0), sent=100, lost=0, burst=0.0).loss == 0
    assert estimate_losses(LossModel(0.0), sent=100, lost=7, burst=1.0).loss == pytest.approx(0.05)


@given(
    st.builds(LossModel, st.floats(0, 0.6), st.none() | st.floats(2, 100)),
    st.integers(0, 10**9),
    st.floats(0, 1),
    st.floats(0, 1e9),
)
def test_any_counts_give_a_chain_within_the_bounds(assumed, sent, share, burst):
    estimate = estimate_losses(assumed, sent=sent, lost=int(share * sent), burst=burst)
    assert 0 <= estimate.loss <= MAX_LOSS
    assert estimate == assumed or 1 <= estimate.burst <= MAX_BURST


def test_early_losses_are_left_to_answers_and_the_last_ones_are_not():
    early = unanswered(ASSUMED, left_s=10, lag_s=0.25)
    assert early.loss == pytest.approx(0.1 * 0.1)
    assert early.burst == pytest.approx(5)
    assert unanswered(ASSUMED, left_s=2 * REPORT_S, lag_s=0).loss == pytest.approx(0.05)
    for left_s in (REPORT_S, 0.1, 0.0, -1.0):
        assert unanswered(ASSUMED, left_s=left_s, lag_s=0.1).loss == pytest.approx(0.1)


def test_reports_that_take_long_leave_less_to_answers():
    lags = [unanswered(ASSUMED, left_s=10, lag_s=lag_s).loss for lag_s in (0, 1, 3, 5, 9, 30)]
    assert lags == sorted(lags)
    assert lags[0] < 0.05 < lags[-1] == pytest.approx(0.1)
