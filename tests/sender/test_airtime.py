"""The duty cycle, against closed forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import UsageError
from sender.airtime import HOUR_S, Airtime
from sender.session import SenderSession
from sender.settings import SenderSettings


def test_an_hours_share_goes_at_once_and_each_further_packet_an_hour_after_one_of_the_first() -> None:
    airtime = Airtime(0.01)
    started = [now := 5.0]
    airtime.take(2.0, now)
    while len(started) < 40:
        now = max(now + 2.0, airtime.ready_at(2.0))
        airtime.take(2.0, now)
        started.append(now)
    assert started[:18] == pytest.approx([5 + 2 * i for i in range(18)])
    assert started[18:36] == pytest.approx([5 + HOUR_S + 2 * i for i in range(18)])
    assert started[36] == pytest.approx(5 + 2 * HOUR_S)


@given(st.lists(st.tuples(st.floats(0.01, 9), st.floats(0, 400)), min_size=1, max_size=60), st.floats(0.0025, 0.5))
def test_in_no_hour_more_than_the_share_is_on_the_air(packets: list[tuple[float, float]], share: float) -> None:
    airtime, now, intervals = Airtime(share), 0.0, []
    for seconds, pause in packets:
        length = min(seconds, airtime.limit_s)
        now = max(now + pause, airtime.ready_at(length))
        assert airtime.available_s(now, now + HOUR_S / 2) >= min(length, HOUR_S / 2) - 1e-6
        airtime.take(length, now)
        intervals.append((now, now + length))
        now += length
    for _, end in intervals:
        begin = end - HOUR_S
        assert sum(max(0.0, b - max(a, begin)) for a, b in intervals if b <= end) <= airtime.limit_s + 1e-6


@pytest.mark.parametrize(
    ("deadline_s", "expected_s"), [(10, 10), (36, 36), (60, 36), (3600, 36), (3610, 46), (7200, 72), (9000, 108)]
)
def test_the_time_on_air_until_a_deadline(deadline_s: float, expected_s: float) -> None:
    settings = SenderSettings(5000, deadline_s=deadline_s, duty_cycle=0.01)
    assert settings.airtime_s == pytest.approx(expected_s)
    assert settings.budget_bytes == pytest.approx(5000 / 8 * expected_s, abs=1)


def test_a_stream_uses_its_share_and_says_its_end_in_time() -> None:
    settings = SenderSettings(1000, packet_size=51, deadline_s=600, duty_cycle=0.01, feedback=False)
    session, now, sent = (
        SenderSession(make_stream(enhance=200, payload=(20, 38)), settings, stream_id=1, now=0.0),
        0.0,
        [],
    )
    while (timer := session.next_timer()) is not None:
        now = max(now, timer)
        session.handle_timer(now)
        sent += [(now, len(datagram)) for datagram in session.datagrams_to_send(now)]
    on_air_s = sum(size for _, size in sent) * 8 / 1000
    assert 36 * 0.9 < on_air_s <= 36
    assert now < 40, "the end waits for no hour"
    assert sent[-1][1] < 10


def test_the_next_stream_of_the_same_radio_has_what_is_left() -> None:
    settings = SenderSettings(1000, packet_size=51, deadline_s=600, duty_cycle=0.01, feedback=False)
    airtime = settings.new_airtime()
    assert airtime is not None
    airtime.take(30.0, 0.0)
    session = SenderSession(make_stream(payload=(20, 38)), settings, stream_id=1, now=30.0, airtime=airtime)
    assert sum(session.plan.sizes) <= 6 * 1000 / 8
    assert airtime.wait_s(36.0, 30.0) == pytest.approx(HOUR_S + 30 - 36 - 30 + 0, abs=1)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_shares_that_make_no_sense_are_refused(share: float) -> None:
    with pytest.raises(UsageError, match="duty cycle"):
        SenderSettings(1000, duty_cycle=share)
