import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.pacing import TokenBucket

DEPTH = 1100


def send_all(bucket, sizes, waits, now):
    """Sends each packet `wait` seconds after it may go; (time, size) of each."""
    sent = []
    for size, wait in zip(sizes, waits, strict=True):
        now = max(now, bucket.ready_at(size)) + wait
        bucket.take(size, now)
        sent.append((now, size))
    return sent


@given(
    st.lists(st.tuples(st.integers(1, DEPTH), st.just(0.0) | st.floats(0, 0.5)), min_size=1, max_size=60),
    st.sampled_from([1_000.0, 6_250.0, 1e6]),
    st.sampled_from([0.0, 1e5, 1e9]),
)
def test_any_window_carries_its_share_and_one_packet_at_most(packets, rate, start):
    sizes, waits = zip(*packets, strict=True)
    sent = send_all(TokenBucket(rate, DEPTH, now=start), sizes, waits, start)
    for i in range(len(sent)):
        carried = 0
        for time, size in sent[i:]:
            carried += size
            assert carried <= rate * (time - sent[i][0] + 1e-6) + DEPTH + 1e-3


@given(st.lists(st.integers(1, DEPTH), min_size=1, max_size=60))
def test_who_always_has_something_to_send_gets_the_whole_rate(sizes):
    carried = 0
    for time, size in send_all(TokenBucket(1000.0, DEPTH, now=0.0), sizes, [0.0] * len(sizes), 0.0):
        assert carried + size >= 1000 * time - 1e-6
        carried += size
        assert carried <= 1000 * time + DEPTH + 1e-6


def test_the_first_packet_goes_at_once_and_the_second_a_packet_time_later():
    bucket = TokenBucket(6250.0, DEPTH, now=5.0)
    assert bucket.ready_at(DEPTH) == 5.0
    bucket.take(DEPTH, 5.0)
    assert bucket.ready_at(DEPTH) == pytest.approx(5.0 + 1100 / 6250)


def test_time_without_packets_is_not_saved_up():
    bucket = TokenBucket(1000.0, DEPTH, now=0.0)
    bucket.take(DEPTH, 100.0)
    assert bucket.ready_at(DEPTH) == pytest.approx(101.1)
