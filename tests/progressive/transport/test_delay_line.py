import asyncio

import pytest

from progressive.transport import delay_line
from progressive.transport.delay_line import DelayLine


async def test_datagrams_come_when_due_and_those_due_together_in_the_order_of_sending():
    line, loop, arrived = DelayLine(), asyncio.get_running_loop(), []
    now = loop.time()
    for number in range(50):
        line.put(now + 0.05, bytes([number]), arrived.append)
    line.put(now + 0.02, b"early", lambda data: arrived.append((data, loop.time() - now)))
    assert arrived == []
    await asyncio.sleep(0.1)
    (early, after_s), *together = arrived
    assert early == b"early"
    assert 0.0199 <= after_s < 0.05
    assert together == [bytes([number]) for number in range(50)]


async def test_what_is_on_the_way_is_bounded_and_forgotten_when_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delay_line, "MAX_BYTES_IN_FLIGHT", 10)
    line, arrived = DelayLine(), []
    now = asyncio.get_running_loop().time()
    line.put(now, bytes(8), arrived.append)
    line.put(now, bytes(3), arrived.append)
    assert line.overflowed == 1
    await asyncio.sleep(0.01)
    line.put(now, bytes(3), arrived.append)
    await asyncio.sleep(0.01)
    assert [len(data) for data in arrived] == [8, 3]
    line.put(now + 0.01, bytes(3), arrived.append)
    line.close()
    await asyncio.sleep(0.02)
    assert len(arrived) == 2
