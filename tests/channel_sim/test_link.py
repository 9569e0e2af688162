import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.link import Fate, Link, LinkSettings, Reordering
from channel_sim.modem.settings import Modem
from channel_sim.queue import CoDel
from channel_sim.radio.settings import Radio
from channel_sim.spec import parse_channel
from channel_sim.traces import DeliveryOpportunities
from progressive.errors import UsageError
from progressive.loss_model import LossModel

PACKET = bytes(1000)


def arrival_times(link: Link, times: list[float]) -> list[float | None]:
    arrivals = [link.send(PACKET, now) for now in times]
    return [a[0][0] if a else None for a in arrivals]


def test_a_perfect_link_delivers_at_once_and_unchanged() -> None:
    assert Link(LinkSettings(), seed=0).send(b"abc", 7.5) == [(7.5, b"abc")]


def test_packets_leave_one_after_another_at_the_rate() -> None:
    link = Link(LinkSettings(rate_bps=8000, delay_s=0.25), seed=0)
    assert arrival_times(link, [0.0, 0.5, 0.5, 10.0]) == [1.25, 2.25, 3.25, 11.25]


def test_the_queue_drops_what_does_not_fit_and_empties_with_time() -> None:
    link = Link(LinkSettings(rate_bps=8000, queue_bytes=2000), seed=0)
    at_once = arrival_times(link, [0.0] * 4)
    assert at_once == [1.0, 2.0, 3.0, None]
    assert arrival_times(link, [0.9, 1.0, 1.5]) == [None, 4.0, None]
    assert arrival_times(link, [2.0]) == [5.0]
    assert (link.statistics.offered, link.statistics.dropped, link.statistics.delivered_bytes) == (8, 3, 5000)


def test_a_packet_larger_than_the_queue_passes_an_idle_link() -> None:
    link = Link(LinkSettings(rate_bps=8000, queue_bytes=10), seed=0)
    assert arrival_times(link, [0.0, 0.5, 1.0]) == [1.0, None, 2.0]


def test_a_lost_packet_has_used_its_share_of_the_rate() -> None:
    link = Link(LinkSettings(LossModel(0.5), rate_bps=8000), seed=1)
    times = arrival_times(link, [0.0] * 40)
    assert 0 < link.statistics.lost < 40
    assert all(time is None or time == slot + 1 for slot, time in enumerate(times))


def test_jitter_is_uniform_from_zero_and_lets_packets_overtake() -> None:
    link = Link(LinkSettings(delay_s=1.0, jitter_s=0.5), seed=3)
    times = [time for time in arrival_times(link, [0.0] * 2000) if time is not None]
    assert 1.0 <= min(times) < 1.01
    assert 1.49 < max(times) <= 1.5
    assert times != sorted(times)
    assert sum(times) / len(times) == pytest.approx(1.25, abs=4 * 0.5 / (12 * 2000) ** 0.5)


@given(st.integers(0, 1000))
def test_the_same_seed_gives_the_same_fates_whatever_the_jitter(seed: int) -> None:
    def fates(jitter_s: float) -> list[bool]:
        link = Link(LinkSettings(LossModel(0.3, 3), jitter_s=jitter_s), seed=seed)
        return [bool(link.send(PACKET, 0.0)) for _ in range(50)]

    assert fates(0.0) == fates(0.0) == fates(0.2)


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(0, 1500)), max_size=40),
    st.floats(1e3, 1e6),
    st.integers(0, 5000) | st.none(),
)
def test_no_window_carries_more_than_the_rate(
    packets: list[tuple[float, int]], rate_bps: float, queue_bytes: int | None
) -> None:
    link = Link(LinkSettings(rate_bps=rate_bps, queue_bytes=queue_bytes), seed=0)
    now, last = 0.0, 0.0
    for wait_s, size in packets:
        now += wait_s
        for arrival_s, data in link.send(bytes(size), now):
            assert arrival_s >= max(now, last) + len(data) * 8 / rate_bps - 1e-9
            last = arrival_s
    statistics = link.statistics
    assert statistics.offered == len(packets) == statistics.dropped + statistics.lost + statistics.delivered


@pytest.mark.parametrize(
    "bad", [{"rate_bps": 0.0}, {"rate_bps": -1.0}, {"delay_s": -0.1}, {"jitter_s": float("nan")}, {"queue_bytes": 100}]
)
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LinkSettings(**bad)  # type: ignore[arg-type]


def test_a_queue_can_be_managed_on_a_link_with_a_rate() -> None:
    # A second a packet, all offered at once: CoDel's first drops, as in the queue's test.
    link = Link(LinkSettings(rate_bps=8000, codel=CoDel(target_s=0.5, interval_s=4)), seed=0)
    times = arrival_times(link, [0.0] * 12)
    assert [slot for slot, time in enumerate(times) if time is None] == [6, 11]
    assert [time for time in times if time is not None] == [float(n) for n in range(1, 11)]
    assert link.statistics.dropped == 2


def test_a_trace_sets_the_pace_and_starts_with_the_first_packet() -> None:
    trace = DeliveryOpportunities("t", np.array([5, 5, 10]))
    link = Link(LinkSettings(trace=trace, delay_s=0.1), seed=0)
    assert arrival_times(link, [7.0, 7.0, 7.0, 7.0]) == pytest.approx([7.105, 7.105, 7.105, 7.110])
    link = Link(LinkSettings(trace=trace, queue_bytes=1000), seed=0, start_s=0.0)
    # The first waits for the opportunity at 10 ms, and a second does not fit into the queue; the third needs the rest
    # of that opportunity and some of the next, which it leaves to the fourth.
    assert arrival_times(link, [0.006, 0.006, 0.010, 0.010]) == [0.010, None, 0.015, 0.015]


def test_late_packets_are_overtaken_and_duplicates_come_twice() -> None:
    settings = LinkSettings(delay_s=1.0, reordering=Reordering(0.2, 0.5), duplicates=0.1)
    link = Link(settings, seed=2)
    packets = 5000
    arrivals = [[time for time, _ in link.send(PACKET, 0.0)] for _ in range(packets)]
    times = [time for several in arrivals for time in several]
    assert set(times) == {1.0, 1.5}
    late, twice = sum(several[0] == 1.5 for several in arrivals), sum(len(several) == 2 for several in arrivals)
    assert abs(late / packets - 0.2) < 3 * (0.2 * 0.8 / packets) ** 0.5
    assert abs(twice / packets - 0.1) < 3 * (0.1 * 0.9 / packets) ** 0.5
    assert link.statistics.duplicated == twice
    assert link.statistics.delivered_bytes == packets * len(PACKET)


@pytest.mark.parametrize("deliver", [False, True])
def test_packets_with_bit_errors_are_lost_or_delivered_with_them(deliver: bool) -> None:
    rate, packets = 2e-4, 3000
    link = Link(LinkSettings(bit_error_rate=rate, deliver_damaged=deliver), seed=4)
    sent = bytes(500)
    received = [data for _ in range(packets) for _, data in link.send(sent, 0.0)]
    expected = 1 - (1 - rate) ** (8 * len(sent))
    tolerance = 3 * (expected * (1 - expected) / packets) ** 0.5
    if not deliver:
        assert set(received) == {sent}
        assert abs(link.statistics.lost / packets - expected) < tolerance
        return
    assert len(received) == packets
    damaged = [data for data in received if data != sent]
    assert link.statistics.damaged == len(damaged)
    assert abs(len(damaged) / packets - expected) < tolerance
    wrong = sum(int.from_bytes(data, "big").bit_count() for data in received)
    bits = 8 * len(sent) * packets
    assert abs(wrong / bits - rate) < 3 * (rate * (1 - rate) / bits) ** 0.5


def over_the_air(**more: object) -> LinkSettings:
    return parse_channel("rayleigh:snr=8dB,doppler=5Hz+modem:qpsk-1/2,bandwidth=1MHz", **more)  # type: ignore[arg-type]


def test_packets_over_the_air_take_as_long_as_their_scheme_says_and_fail_in_fades() -> None:
    link = Link(over_the_air(), seed=3, start_s=0.0)
    passages = [link.carry(PACKET, 0.02 * slot) for slot in range(2000)]
    # QPSK 1/2 in 1 MHz of 802.11's OFDM: 0.6 Mbit/s.
    assert all(p.end_s - p.begin_s == pytest.approx(8000 / 0.6e6) for p in passages)
    assert {p.mcs for p in passages} == {"qpsk-1/2"}
    lost = [link.snr_db((p.begin_s + p.end_s) / 2) for p in passages if p.fate is Fate.LOST]
    kept = [link.snr_db((p.begin_s + p.end_s) / 2) for p in passages if p.fate is Fate.DELIVERED]
    assert 200 < len(lost) < 1800
    assert np.median(np.array(lost)) < 5.99 < np.median(np.array(kept))  # the scheme's threshold


def test_fates_over_the_air_are_those_of_the_first_packets_time_on_any_clock() -> None:
    def fates(start_s: float) -> list[bool]:
        link = Link(over_the_air(), seed=3)
        return [bool(link.send(PACKET, start_s + 0.02 * slot)) for slot in range(200)]

    assert fates(0.0) == fates(4096.0)
    assert 20 < sum(fates(0.0)) < 180


def test_a_rate_limits_what_a_modem_is_given() -> None:
    settings = parse_channel("awgn:snr=30dB+modem:64qam-3/4,bandwidth=1MHz+rate:8kbps")
    assert arrival_times(Link(settings, seed=0), [0.0, 0.0]) == [1.0, 2.0]


def test_a_radio_delivers_damaged_packets_if_told_so() -> None:
    link = Link(over_the_air(deliver_damaged=True), seed=3)
    passages = [link.carry(PACKET, 0.02 * slot) for slot in range(300)]
    fates = [passage.fate for passage in passages]
    assert Fate.LOST not in fates
    assert 30 < fates.count(Fate.DAMAGED) == link.statistics.damaged
    assert all((p.arrivals[0][1] != PACKET) == (p.fate is Fate.DAMAGED) for p in passages)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"delay_s": -0.1}, "delay of -0.1 s is out of range: use 0"),
        ({"duplicates": 1.2}, "use 0 to 1"),
        ({"bit_error_rate": 0.6}, "use 0 to 0.5"),
        ({"codel": CoDel()}, "needs a rate"),
        ({"modem": Modem()}, "needs a radio channel"),
        ({"trace": DeliveryOpportunities("t", np.array([1])), "rate_bps": 1e3}, "leave out"),
        ({"trace": DeliveryOpportunities("t", np.array([1])), "radio": Radio(mean_snr_db=3)}, "leave out"),
    ],
)
def test_what_is_impossible_is_refused_with_what_to_do(bad: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        LinkSettings(**bad)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="use 0 to 1"):
        Reordering(1.5, 0.1)
