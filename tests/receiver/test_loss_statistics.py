import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from receiver import loss_statistics
from receiver.loss_statistics import LATE_START, MAX_JUMP, WINDOW, SequenceTracker


def runs_of_missing(arrived):
    lengths, current = [], 0
    for sequence in range(max(arrived) + 1):
        if sequence in arrived:
            lengths += [current] if current else []
            current = 0
        else:
            current += 1
    return lengths


@given(st.lists(st.integers(0, LATE_START - 1), min_size=1, max_size=60))
def test_any_order_and_duplicates_give_the_counts_of_the_set(sequences):
    tracker = SequenceTracker()
    seen = set()
    for sequence in sequences:
        assert tracker.add(sequence) == (sequence not in seen)
        seen.add(sequence)
        runs = runs_of_missing(seen)
        assert (tracker.expected, tracker.received) == (max(seen) + 1, len(seen))
        assert tracker.lost == sum(runs)
        assert tracker.loss == pytest.approx(sum(runs) / (max(seen) + 1))
        assert tracker.burst == pytest.approx(sum(runs) / len(runs) if runs else 0)


@given(st.lists(st.integers(0, LATE_START - 1), min_size=1, max_size=80))
def test_losses_that_began_behind_the_window_are_counted_as_the_bursts_they_are(sequences):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loss_statistics, "WINDOW", 4)
        tracker, counted = SequenceTracker(), set()
        for sequence in sequences:
            tracker.add(sequence)
            if not counted or sequence > max(counted) - 4:
                counted.add(sequence)
            runs = runs_of_missing(counted)
            assert tracker.lost == sum(runs)
            assert tracker.burst == pytest.approx(sum(runs) / len(runs) if runs else 0)


def test_a_burst_of_which_only_what_is_behind_the_window_stays_lost_is_one_that_a_sender_believes():
    tracker = SequenceTracker()
    tracker.add(0)
    tracker.add(2 * WINDOW)
    for back in range(1, WINDOW):
        tracker.add(2 * WINDOW - back)
    assert tracker.lost == WINDOW
    assert tracker.burst == WINDOW


def test_nothing_received_is_nothing_lost():
    tracker = SequenceTracker()
    assert (tracker.loss, tracker.burst, tracker.lost) == (0, 0, 0)


def test_numbers_too_old_to_tell_are_not_counted():
    tracker = SequenceTracker()
    tracker.add(0)
    tracker.add(2 * WINDOW)
    assert tracker.add(WINDOW - 5)
    assert tracker.received == 2


def test_a_late_listener_counts_from_where_it_began():
    tracker = SequenceTracker()
    tracker.add(5000)
    assert tracker.add(4990)
    tracker.add(5003)
    assert (tracker.expected, tracker.received, tracker.burst) == (4, 2, 2)


def test_absurd_jumps_are_refused():
    tracker = SequenceTracker()
    tracker.add(0)
    with pytest.raises(WireError, match="jumps"):
        tracker.add(MAX_JUMP + 1)
    assert tracker.expected == 1


def test_bursts_are_measured_in_time():
    tracker = SequenceTracker()
    for sequence, arrival_s in [(0, 0.0), (1, 0.2), (5, 1.0), (6, 1.2), (8, 1.6)]:
        tracker.add(sequence, arrival_s)
    assert tracker.burst_s == pytest.approx((0.6 + 0.2) / 2)
    tracker.add(7, 1.7)
    assert tracker.burst_s == pytest.approx(0.6)


@given(st.lists(st.integers(0, LATE_START - 1), min_size=1, max_size=60))
def test_recent_arrivals_are_told_a_bit_each_from_the_latest_back(sequences):
    tracker = SequenceTracker()
    for sequence in sequences:
        tracker.add(sequence)
    recent = tracker.recent(8)
    assert tracker.latest == max(sequences)
    bits = "".join(f"{byte:08b}" for byte in recent)
    assert len(bits) == min(64, -(-(max(sequences) + 1) // 8) * 8)
    told = {max(sequences) - back for back, bit in enumerate(bits) if bit == "1"}
    assert told == {sequence for sequence in sequences if sequence > max(sequences) - len(bits)}


def test_a_late_listener_does_not_tell_of_what_it_did_not_hear():
    tracker = SequenceTracker()
    tracker.add(5000)
    assert tracker.recent(8) == b"\x80"


def test_who_begins_to_listen_late_has_lost_nothing_before() -> None:
    late, early = SequenceTracker(), SequenceTracker()
    late.add(LATE_START)
    late.add(LATE_START + 2)
    assert (late.received, late.lost) == (2, 1)
    early.add(LATE_START - 1)
    assert early.lost == LATE_START - 1
