"""The pump: runs either session over any transport, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from progressive.transport.base import Transport, TransportClosed

LATE_S = 0.002
"""A timer that rings this late at most counts as having rung in time. Event loops are late by a millisecond or so, and
pacing would fall behind by that with every packet; instead, a packet may follow the one before closer by this much."""


class Session(Protocol):
    """A protocol state machine: bytes and `now` (seconds) in, bytes and events out."""

    @property
    def done(self) -> bool: ...
    def receive_datagram(self, data: bytes, now: float) -> None: ...
    def datagrams_to_send(self, now: float) -> list[bytes]: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> Any | None: ...


async def drive(session: Session, transport: Transport, on_event: Callable[[Any], None] = lambda _event: None) -> None:
    """Runs a session until it is done or the transport is closed; the transport stays open.

    The session's clock is `time()` of the running event loop: make it with `now` from there. `on_event` is called for
    each event, in order. Cancelling is safe at any time.
    """
    clock = asyncio.get_running_loop().time
    receiving = asyncio.ensure_future(transport.receive())
    now = clock()
    try:
        while True:
            timer = session.next_timer()
            now = max(now, _time_of_waking(clock(), timer))
            if timer is not None and timer <= now:
                session.handle_timer(now)
            for datagram in session.datagrams_to_send(now):
                await transport.send(datagram)
            while (event := session.next_event()) is not None:
                on_event(event)
            if session.done:
                return
            timer = session.next_timer()
            await asyncio.wait([receiving], timeout=None if timer is None else max(0.0, timer - clock()))
            if receiving.done():
                now = max(now, clock())
                session.receive_datagram(receiving.result(), now)
                receiving = asyncio.ensure_future(transport.receive())
    except TransportClosed:
        return
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


def _time_of_waking(clock_s: float, timer_s: float | None) -> float:
    if timer_s is not None and clock_s - LATE_S <= timer_s <= clock_s:
        return timer_s
    return clock_s
