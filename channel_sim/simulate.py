"""Sessions over links on a virtual clock: an event loop that jumps from one event to the next, deterministically."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from channel_sim.link import Link

MAX_STEPS_AT_ONE_TIME = 100_000
"""A session that keeps asking to be woken at the present instant is a bug; it must not hang a simulation."""


class Session(Protocol):
    """A protocol state machine: bytes and `now` (seconds) in, bytes and events out."""

    def receive_datagram(self, data: bytes, now: float) -> None: ...
    def datagrams_to_send(self, now: float) -> list[bytes]: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Route:
    """Everything that `source` sends is offered to `link`; what the link delivers reaches `destination`."""

    source: Session
    link: Link
    destination: Session


def simulate(
    routes: Sequence[Route],
    *,
    start_s: float = 0.0,
    limit_s: float = math.inf,
    on_event: Callable[[float, Session, object], None] = lambda _now, _session, _event: None,
    finished: Callable[[], bool] = lambda: False,
) -> float:
    """Runs the sessions of these routes until nothing is left to happen, `finished()` holds, or `limit_s` has passed.

    Args:
        routes: the links between sessions; a source with several routes broadcasts.
        start_s: the clock's first reading, in seconds.
        limit_s: no event later than this reading happens.
        on_event: called with the time, the session and the event for each event that a session reports.
        finished: asked after each step.

    Returns:
        The clock's last reading, in seconds.
    """
    sessions = list(dict.fromkeys(session for route in routes for session in (route.source, route.destination)))
    in_flight: list[tuple[float, int, Session, bytes]] = []
    sent = 0

    def collect(session: Session, now: float) -> None:
        nonlocal sent
        for data in session.datagrams_to_send(now):
            for route in routes:
                if route.source is session:
                    for arrival_s, delivered in route.link.send(data, now):
                        heapq.heappush(in_flight, (arrival_s, sent, route.destination, delivered))
                        sent += 1
        while (event := session.next_event()) is not None:
            on_event(now, session, event)

    now, steps = start_s, 0
    for session in sessions:
        collect(session, now)
    while not finished():
        arrival_s = in_flight[0][0] if in_flight else math.inf
        timers = [(timer, session) for session in sessions if (timer := session.next_timer()) is not None]
        timer_s, waking = min(timers, key=lambda timer: timer[0], default=(math.inf, None))
        at = max(now, min(arrival_s, timer_s))
        if at == math.inf or at > limit_s:
            break
        steps = steps + 1 if at == now else 0
        if steps > MAX_STEPS_AT_ONE_TIME:
            raise RuntimeError(f"{waking!r} asks again and again to be woken at {now} s")
        now = at
        if waking is None or arrival_s <= timer_s:
            _, _, active, data = heapq.heappop(in_flight)
            active.receive_datagram(data, now)
        else:
            active = waking
            active.handle_timer(now)
        collect(active, now)
    return now
