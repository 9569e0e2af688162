import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.link import Link, LinkSettings
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
