import asyncio

import pytest

from progressive.transport import delay_line
from progressive.transport.delay_line import DelayLine


class Arrivals:
    """What a delay line handed over, and when."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.times_s: list[float] = []
        self._changed = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data.append(data)
        self.times_s.append(asyncio.get_running_loop().time())
        self._changed.set()

    async def count(self, expected: int) -> None:
        """Returns once so many came."""
        while len(self.data) < expected:
            self._changed.clear()
            await self._changed.wait()


async def test_datagrams_come_when_due_and_those_due_together_in_the_order_of_sending():
    line, arrived = DelayLine(), Arrivals()
    now = asyncio.get_running_loop().time()
    together = [bytes([number]) for number in range(50)]
    for datagram in together:
        line.put(now + 0.05, datagram, arrived)
    line.put(now + 0.02, b"early", arrived)
    assert arrived.data == []
    await arrived.count(51)
    assert arrived.data == [b"early", *together]
    assert arrived.times_s[0] >= now + 0.0199
    assert min(arrived.times_s[1:]) >= now + 0.0499


async def test_what_is_on_the_way_is_bounded_and_forgotten_when_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delay_line, "MAX_BYTES_IN_FLIGHT", 10)
    line, arrived = DelayLine(), Arrivals()
    now = asyncio.get_running_loop().time()
    line.put(now, b"8 bytes.", arrived)
    line.put(now, b"too", arrived)
    assert line.overflowed == 1
    await arrived.count(1)
    line.put(now, b"now", arrived)
    await arrived.count(2)
    line.put(now + 0.01, b"gone", arrived)
    line.close()
    line.put(now + 0.02, b"last", arrived)
    await arrived.count(3)
    assert arrived.data == [b"8 bytes.", b"now", b"last"]
