import asyncio

import pytest

from progressive.transport.base import TransportClosed
from progressive.transport.inbox import INBOX_DATAGRAMS, Inbox
from progressive.transport.memory import memory_pair


async def test_each_end_receives_what_the_other_sends():
    left, right = memory_pair()
    await left.send(b"there")
    await right.send(b"back")
    assert await right.receive() == b"there"
    assert await left.receive() == b"back"


async def test_links_decide_what_arrives_when():
    class Link:
        def send(self, data, now):
            return [] if data == b"lost" else [(now + 0.02, data), (now + 0.001, data.upper())]

    left, right = memory_pair(there=Link())
    await left.send(b"lost")
    await left.send(b"kept")
    assert [await right.receive(), await right.receive()] == [b"KEPT", b"kept"]


async def test_closing_ends_the_wait():
    left, _ = memory_pair()
    waiting = asyncio.ensure_future(left.receive())
    await asyncio.sleep(0)
    left.close()
    left.close()
    with pytest.raises(TransportClosed):
        await waiting


async def test_what_nobody_receives_is_bounded():
    inbox = Inbox()
    for i in range(INBOX_DATAGRAMS + 10):
        inbox.put(i)
    assert inbox.dropped == 10
    inbox.close()
    assert [await inbox.get() for _ in range(INBOX_DATAGRAMS)] == list(range(INBOX_DATAGRAMS))
    with pytest.raises(TransportClosed):
        await inbox.get()


async def test_cancelling_loses_nothing():
    left, right = memory_pair()
    waiting = asyncio.ensure_future(right.receive())
    await asyncio.sleep(0)
    waiting.cancel()
    await left.send(b"later")
    assert await right.receive() == b"later"
