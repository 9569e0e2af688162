import asyncio

import pytest

from progressive.transport.base import TransportClosed
from progressive.transport.fan_out import FanOut
from progressive.transport.memory import memory_pair


async def test_everyone_gets_everything_and_all_answers_come_back() -> None:
    pairs = [memory_pair() for _ in range(3)]
    fan_out = FanOut([near for near, _ in pairs])
    await fan_out.send(b"photo")
    assert [await far.receive() for _, far in pairs] == [b"photo"] * 3
    for number, (_, far) in enumerate(pairs):
        await far.send(bytes([number]))
    assert {await fan_out.receive() for _ in pairs} == {b"\0", b"\1", b"\2"}
    fan_out.close()


async def test_one_that_is_gone_does_not_end_the_others() -> None:
    (gone, _), (near, far) = memory_pair(), memory_pair()
    fan_out = FanOut([gone, near])
    gone.close()
    await far.send(b"here")
    assert await fan_out.receive() == b"here"
    fan_out.close()
    with pytest.raises(TransportClosed):
        await asyncio.wait_for(fan_out.receive(), 5)
