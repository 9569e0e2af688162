import pytest

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.loss_model import LossModel


class Beacon:
    """Sends `count` numbered packets, one each `interval_s`; counts the replies."""

    def __init__(self, count: int, interval_s: float) -> None:
        self.left, self.interval_s, self.next_s, self.outbox = count, interval_s, 0.0, list[bytes]()
        self.replies = list[tuple[float, bytes]]()

    def receive_datagram(self, data: bytes, now: float) -> None:
        self.replies.append((now, data))

    def datagrams_to_send(self, now: float) -> list[bytes]:
        sent, self.outbox = self.outbox, []
        return sent

    def next_timer(self) -> float | None:
        return self.next_s if self.left else None

    def handle_timer(self, now: float) -> None:
        self.outbox.append(bytes([self.left]))
        self.left -= 1
        self.next_s = now + self.interval_s

    def next_event(self) -> str | None:
        return None


class Echo:
    """Returns every packet at once and reports it as an event."""

    def __init__(self) -> None:
        self.outbox, self.events = list[bytes](), list[bytes]()

    def receive_datagram(self, data: bytes, now: float) -> None:
        self.outbox.append(data)
        self.events.append(data)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        sent, self.outbox = self.outbox, []
        return sent

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError("an echo has no timer")

    def next_event(self) -> bytes | None:
        return self.events.pop(0) if self.events else None


def link(loss: float = 0.0, delay_s: float = 0.0, seed: int = 0) -> Link:
    return Link(LinkSettings(LossModel(loss), delay_s=delay_s), seed=seed)


def test_packets_and_replies_take_the_links_delays() -> None:
    beacon, echo = Beacon(3, 1.0), Echo()
    ended = simulate([Route(beacon, link(delay_s=0.25), echo), Route(echo, link(delay_s=0.5), beacon)])
    assert beacon.replies == [(0.75, b"\x03"), (1.75, b"\x02"), (2.75, b"\x01")]
    assert ended == 2.75


def test_a_source_with_several_routes_broadcasts_and_events_carry_their_time() -> None:
    beacon, near, far = Beacon(2, 1.0), Echo(), Echo()
    seen = list[tuple[float, str, object]]()
    names = {id(near): "near", id(far): "far"}
    simulate(
        [Route(beacon, link(delay_s=0.1), near), Route(beacon, link(delay_s=0.4), far)],
        on_event=lambda now, session, event: seen.append((now, names[id(session)], event)),
    )
    assert seen == [(0.1, "near", b"\x02"), (0.4, "far", b"\x02"), (1.1, "near", b"\x01"), (1.4, "far", b"\x01")]


def test_nothing_happens_after_the_limit_or_once_finished() -> None:
    beacon, echo = Beacon(100, 1.0), Echo()
    assert simulate([Route(beacon, link(), echo)], limit_s=4.5) == 4.0
    assert beacon.left == 95
    beacon, echo = Beacon(100, 1.0), Echo()
    simulate([Route(beacon, link(), echo)], finished=lambda: beacon.left <= 98)
    assert beacon.left == 98


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_replays_the_same_run(seed: int) -> None:
    def replies() -> list[tuple[float, bytes]]:
        beacon, echo = Beacon(100, 0.1), Echo()
        simulate([Route(beacon, link(0.3, 0.2, seed), echo), Route(echo, link(0.1, 0.2, seed + 7), beacon)])
        return beacon.replies

    assert replies() == replies()
    assert 30 < len(replies()) < 95


def test_a_session_that_never_lets_time_pass_is_a_bug_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channel_sim.simulate.MAX_STEPS_AT_ONE_TIME", 50)
    with pytest.raises(RuntimeError, match="again and again"):
        simulate([Route(Beacon(100, 0.0), link(), Echo())])
