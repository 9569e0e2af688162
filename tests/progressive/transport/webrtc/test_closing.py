"""Connections that take long to close leave no task behind that nobody waits for."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiortc import RTCPeerConnection

from progressive.transport.access import Access
from progressive.transport.webrtc import peer, server
from progressive.transport.webrtc.connection import make_connection
from progressive.transport.webrtc.join import JoiningTransport, join
from progressive.transport.webrtc.peer import PeerTransport


async def stuck(connection: RTCPeerConnection) -> None:
    await asyncio.Event().wait()


def stuck_tasks() -> list[str]:
    return [str(task.get_coro()) for task in asyncio.all_tasks() if "stuck" in str(task.get_coro())]


async def test_a_connection_that_does_not_close_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RTCPeerConnection, "close", stuck)
    monkeypatch.setattr(peer, "CLOSING_S", 0)
    transport = PeerTransport(make_connection(()), buffer_bytes=1)
    transport.close()
    assert stuck_tasks()
    await transport.wait_closed()
    assert not stuck_tasks()


async def test_a_server_that_is_closed_waits_for_offers_that_it_could_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_answer(*_: object) -> str:
        raise TimeoutError

    async def any_offer(_: object) -> SimpleNamespace:
        return SimpleNamespace(near=lambda _: None)

    monkeypatch.setattr(RTCPeerConnection, "close", stuck)
    monkeypatch.setattr(peer, "CLOSING_S", 0.2)
    monkeypatch.setattr(server, "_answer", no_answer)
    monkeypatch.setattr(server, "_read_offer", any_offer)
    opened = await server.open_server("webrtc://127.0.0.1:0", Access(), lambda _: None, buffer_bytes=1)
    headers = {"Content-Type": "application/sdp"}
    async with (
        aiohttp.ClientSession(opened.address.http) as http,
        http.post("/whep", data=b"offer", headers=headers) as response,
    ):
        assert response.status == 503
    await opened.close()
    assert not stuck_tasks()
    assert opened.receivers == 0


@pytest.mark.parametrize("sender_ends_it", [False, True])
async def test_a_receiver_that_is_told_to_close_while_it_leaves_has_left_once_it_is_closed(
    sender_ends_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its connection closes when the event loop ends, in a task that is complained of."""
    leave, leaving = JoiningTransport._leave, asyncio.Event()

    async def leave_slowly(*arguments: Any) -> None:
        leaving.set()
        await asyncio.sleep(0.05)
        await leave(*arguments)

    monkeypatch.setattr(JoiningTransport, "_leave", leave_slowly)
    opened = await server.open_server("webrtc://127.0.0.1:0", Access(), lambda _: None, buffer_bytes=1)
    receiver = await join(str(opened.address), Access(), lambda _: None)
    joined = await opened.next_receiver()
    if sender_ends_it:
        joined.transport.close()
    else:
        receiver.close()
    await leaving.wait()
    receiver.close()
    await receiver.wait_closed()
    await opened.close()
    assert not [task for task in asyncio.all_tasks() if re.search("leave_slowly|RTC", str(task.get_coro()))]
