import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.queue import CoDel, Queue
from progressive.errors import UsageError


class Server:
    """Takes one second a packet; what the queue admits is transmitted."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.idle_at, self.waits = queue, 0.0, list[float]()

    def offer(self, now: float, size: int = 1000) -> bool:
        begins = max(now, self.idle_at)
        if not self.queue.admits(size, now, begins):
            return False
        self.idle_at = begins + 1
        self.waits.append(begins - now)
        return True


def dropped(queue: Queue, times: list[float]) -> list[int]:
    server = Server(queue)
    return [number for number, time in enumerate(times) if not server.offer(time)]


def test_tail_drop_counts_what_waits_and_not_what_is_transmitted() -> None:
    assert dropped(Queue(2000), [0.0] * 5) == [3, 4]
    assert dropped(Queue(2000), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]) == [3, 5]
    assert dropped(Queue(None), [0.0] * 100) == []


def test_codel_drops_at_the_times_that_its_control_law_gives() -> None:
    # 25 packets at once, one a second. Number 2, the first with company ahead, waits 2 s > target at time 2: patience
    # until 6. Dropped at 6, then at 6 + 4 = 10, + 4/sqrt(2) = 12.8, + 4/sqrt(3) = 15.1, + 4/sqrt(4) = 17.1,
    # + 4/sqrt(5) = 18.9: whoever comes to the head next is dropped, and leaves its second to the one after it.
    assert dropped(Queue(None, CoDel(target_s=0.5, interval_s=4)), [0.0] * 25) == [6, 11, 15, 19, 22, 24]


def test_codel_lets_bursts_pass_that_end_within_an_interval() -> None:
    bursts = [start + 0.0 for start in (0, 10, 20, 30) for _ in range(5)]
    assert dropped(Queue(None, CoDel(target_s=0.5, interval_s=4)), bursts) == []


def test_codel_never_drops_a_packet_with_nothing_waiting_before_it() -> None:
    assert dropped(Queue(None, CoDel(target_s=0.001, interval_s=0.1)), [0.0, *(n + 0.5 for n in range(100))]) == []


def test_codel_keeps_the_wait_short_where_tail_drop_lets_it_grow_to_the_limit() -> None:
    times = [0.95 * n for n in range(2000)]
    waits = {}
    for name, codel in (("tail", None), ("codel", CoDel(target_s=2, interval_s=20))):
        server = Server(Queue(20_000, codel))
        for time in times:
            server.offer(time)
        waits[name] = sorted(server.waits[1000:])[len(server.waits[1000:]) // 2]
    assert waits["tail"] > 18
    assert waits["codel"] < 4


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 1500)), max_size=60), st.integers(0, 5000), st.booleans())
def test_no_more_waits_than_the_limit(packets: list[tuple[float, int]], limit: int, managed: bool) -> None:
    server = Server(Queue(limit, CoDel(0.5, 2) if managed else None))
    now, begins = 0.0, list[tuple[float, int]]()
    for wait, size in packets:
        now += wait
        begin = max(now, server.idle_at)
        if server.offer(now, size):
            begins.append((begin, size))
        assert sum(size for begin, size in begins if begin > now) <= limit


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"target_s": 0.0}, "more than 0 s"),
        ({"target_s": float("nan")}, "more than 0 s"),
        ({"target_s": 0.2}, "more than the target"),
        ({"interval_s": float("inf")}, "more than the target"),
    ],
)
def test_impossible_settings_are_refused_with_the_allowed_range(bad: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        CoDel(**bad)
