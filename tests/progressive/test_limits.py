import asyncio
import resource

import pytest

from progressive.transport.descriptors import DESCRIPTORS_OF_OURS, accepted_at_once, affordable, bear_shortage
from progressive.transport.http_limits import GUESSES_S, MOST_GUESSERS, MOST_GUESSES, Guesses


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(40, 4), (16, 1), (256, 112), (1 << 20, 128), (resource.RLIM_INFINITY, 128)]
)
def test_strangers_leave_the_run_its_descriptors(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (descriptors, descriptors))
    assert affordable(128) == connections
    assert connections + accepted_at_once() <= max(2, descriptors - DESCRIPTORS_OF_OURS) or descriptors < 0


async def test_connections_that_cannot_be_accepted_are_no_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    bear_shortage(loop)
    loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": OSError(24, "")})
    assert not caplog.records
    loop.call_exception_handler({"message": "a mistake of ours"})
    assert [record.message for record in caplog.records] == ["a mistake of ours"]
    loop.set_exception_handler(None)


def test_guesses_are_counted_for_each_address_and_forgotten_after_a_while() -> None:
    guesses = Guesses()
    for _ in range(MOST_GUESSES):
        assert not guesses.must_wait("192.0.2.1", 1.0)
        guesses.note("192.0.2.1", 1.0)
    assert guesses.must_wait("192.0.2.1", 2.0)
    assert not guesses.must_wait("192.0.2.2", 2.0)
    assert not guesses.must_wait("192.0.2.1", 1.0 + GUESSES_S)
    for number in range(MOST_GUESSES):
        guesses.note(f"2001:db8::{number:x}", 5.0)  # addresses of one subscriber
    assert guesses.must_wait("2001:db8::ffff", 5.0)
    for number in range(2 * MOST_GUESSERS):
        guesses.note(f"10.0.{number // 256}.{number % 256}", 5.0)
    assert len(guesses._wrong) <= MOST_GUESSERS
