"""Real connections on this machine: joining, leaving, and what must not come through."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from progressive.errors import RunError, UsageError
from progressive.transport import pauses
from progressive.transport.access import Access
from progressive.transport.base import TransportClosed
from progressive.transport.http_limits import MOST_GUESSES
from progressive.transport.webrtc import join as joining
from progressive.transport.webrtc import peer, server
from progressive.transport.webrtc.description import MAX_BYTES
from progressive.transport.webrtc.join import JoiningTransport, _read, join
from progressive.transport.webrtc.server import Joined, WebRtcServer, open_server
from progressive.wire.packet import Kind, Packet

ANY_PORT = "webrtc://127.0.0.1:0"
TOKEN = "correct-horse-battery"
MEDIA = Packet(Kind.DATA, stream=1, sequence=0, payload=bytes(1000), k=1, n=1).to_bytes()
REPORT = Packet(Kind.FEEDBACK, stream=1, sequence=0, payload=b"report").to_bytes()


class Said:
    """The lines that an end had for a person."""

    def __init__(self) -> None:
        self.lines = list[str]()
        self._news: asyncio.Queue[str] = asyncio.Queue()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._news.put_nowait(line)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self._news.get()


class Sender:
    """A server and what it said."""

    def __init__(self, serving: WebRtcServer, said: Said) -> None:
        self.server, self.said = serving, said
        self.url = str(serving.address)


@asynccontextmanager
async def serving(url: str = ANY_PORT, *, buffer_bytes: int = 1 << 16, **access: Path) -> AsyncIterator[Sender]:
    said = Said()
    opened = await open_server(url, Access(**access), said, buffer_bytes=buffer_bytes)
    try:
        yield Sender(opened, said)
    finally:
        await opened.close()


@asynccontextmanager
async def joined(url: str, **access: Path) -> AsyncIterator[tuple[JoiningTransport, Said]]:
    said = Said()
    transport = await join(url, Access(**access), said)
    try:
        yield transport, said
    finally:
        transport.close()
        await transport.wait_closed()


async def the_one(sender: Sender) -> Joined:
    async with asyncio.timeout(10):
        return await sender.server.next_receiver()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST_S", 0.02)
    monkeypatch.setattr(pauses, "LONGEST_S", 0.05)


def tokens(tmp_path: Path, name: str, *lines: str) -> Path:
    file = tmp_path / name
    file.write_text("\n".join(lines))
    return file


async def test_packets_go_there_and_reports_back() -> None:
    async with serving() as sender, joined(sender.url) as (receiver, _):
        there = (await the_one(sender)).transport
        await there.send(MEDIA)
        assert await receiver.receive() == MEDIA
        await receiver.send(REPORT)
        assert await there.receive() == REPORT
        assert sender.server.statistics.joined == 1


async def test_a_receiver_that_leaves_is_known_to_have_left_at_once() -> None:
    async with serving() as sender:
        async with joined(sender.url):
            there = (await the_one(sender)).transport
        assert await there.wait_lost(0.5)
        with pytest.raises(TransportClosed):
            await there.receive()


async def test_a_receiver_waits_for_a_sender_that_comes_later() -> None:
    async with serving() as placeholder:
        url = placeholder.url
    async with joined(url) as (receiver, said):
        assert await said.next() == f"nobody answers at {url}: trying again"
        async with serving(url) as sender:
            await (await the_one(sender)).transport.send(MEDIA)
            assert await receiver.receive() == MEDIA
            assert len(said.lines) == 1


async def test_a_receiver_joins_again_when_its_connection_is_lost() -> None:
    async with serving() as sender, joined(sender.url) as (receiver, said):
        (await the_one(sender)).transport.close()
        await (await the_one(sender)).transport.send(MEDIA)
        assert await receiver.receive() == MEDIA
        assert said.lines == [f"the connection to {sender.url} was lost: joining again"]


async def test_with_a_valid_token_a_receiver_may_join(tmp_path: Path) -> None:
    file = tokens(tmp_path, "tokens", "another-token-than-that", TOKEN)
    async with serving(token_file=file) as sender, joined(sender.url, token_file=tokens(tmp_path, "own", TOKEN)):
        await the_one(sender)


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (None, "a token is needed: give --token-file"),
        ("incorrect-horse-battery", "the token is wrong"),
        (TOKEN, "the token has expired"),
    ],
)
async def test_a_token_that_does_not_count_is_one_line_on_both_sides(
    tmp_path: Path, shown: str | None, says: str
) -> None:
    expired = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    access = {} if shown is None else {"token_file": tokens(tmp_path, "own", shown)}
    async with serving(token_file=tokens(tmp_path, "tokens", f"{TOKEN} {expired}")) as sender:
        async with joined(sender.url, **access) as (receiver, said):
            with pytest.raises(RunError, match=f"{sender.url} refuses: {says}"):
                await receiver.receive()
            assert said.lines == []
        assert len(sender.said.lines) == 1
        assert sender.said.lines[0].startswith(f"refused 127.0.0.1: {says}")
        assert sender.server.statistics.refused == 1


async def test_what_serves_something_else_is_no_sender() -> None:
    async def greet(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    runner = await serve_http(greet)
    async with joined(f"webrtc://127.0.0.1:{runner.addresses[0][1]}") as (receiver, _):
        with pytest.raises(RunError, match="no sender serves at webrtc://127.0.0.1:.*HTTP status 200 hello"):
            await receiver.receive()
    await runner.cleanup()


async def test_an_answer_that_is_none_is_a_failure_not_a_crash() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=201, text="v=0\nm=video 9 RTP/AVP 96\n", headers={"Location": "//elsewhere/"})

    runner = await serve_http(answer)
    async with joined(f"webrtc://127.0.0.1:{runner.addresses[0][1]}") as (receiver, _):
        with pytest.raises(RunError, match="its answer is no session description"):
            await receiver.receive()
    await runner.cleanup()


async def serve_http(handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def test_a_port_in_use_is_a_usage_error() -> None:
    async with serving() as sender:
        with pytest.raises(UsageError, match=f"{sender.url} is in use"):
            async with serving(sender.url):
                pass


@pytest.mark.parametrize(
    ("url", "says"),
    [("webrtc://192.0.2.1:80", "cannot be served at"), ("webrtc://no.such.invalid:80", "not a known host")],
)
async def test_an_address_of_another_machine_cannot_be_served_at(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        async with serving(url):
            pass


async def test_an_ice_server_is_checked_before_anything_starts() -> None:
    for open_it in (
        join(ANY_PORT, Access(ice_server=("http://a",)), print),
        open_server(ANY_PORT, Access(ice_server=("stun:",)), print, buffer_bytes=1),
    ):
        with pytest.raises(UsageError, match="is not an ICE server: write stun:HOST:PORT"):
            await open_it


async def test_receivers_beyond_the_limit_wait_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_RECEIVERS", 1)
    async with serving() as sender:
        async with joined(sender.url):
            await the_one(sender)
            async with joined(sender.url) as (_, said):
                assert (
                    await said.next() == f"{sender.url} refuses: all 1 places are taken, try again later: trying again"
                )
        async with joined(sender.url):
            await the_one(sender)


async def test_offers_alone_hold_no_place_that_somebody_else_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_RECEIVERS", 2)
    async with serving() as sender, aiohttp.ClientSession(sender.server.address.http) as http:
        client = StockClient()
        offer = await client.offer()
        for _ in range(6):
            assert (await post(http, offer))[0] == 201
        await client.connection.close()
        assert sender.server.receivers == 2
        async with joined(sender.url):
            await the_one(sender)


async def test_who_guesses_tokens_has_to_wait(tmp_path: Path) -> None:
    access = {"token_file": tokens(tmp_path, "tokens", TOKEN)}
    async with serving(**access) as sender, aiohttp.ClientSession(sender.server.address.http) as http:
        statuses = []
        for guess in range(MOST_GUESSES + 2):
            headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {guess}"}
            async with http.post("/whep", data="v=0", headers=headers) as response:
                statuses.append(response.status)
    assert statuses == [401] * MOST_GUESSES + [429] * 2


async def test_to_a_receiver_that_takes_nothing_packets_are_dropped_rather_than_kept() -> None:
    async with serving(buffer_bytes=20 * len(MEDIA)) as sender, joined(sender.url):
        there = (await the_one(sender)).transport
        for _ in range(1000):
            await there.send(MEDIA)
        assert there.dropped >= 900


class StockClient:
    """A receiver made of aiortc alone, which may do what ours never would."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.media = self.connection.createDataChannel("media", negotiated=True, id=0, ordered=False, maxRetransmits=0)
        self.control = self.connection.createDataChannel("control", negotiated=True, id=1)
        self.came: asyncio.Queue[bytes] = asyncio.Queue()
        for channel in (self.media, self.control):
            channel.on("message", self.came.put_nowait)

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp


async def post(http: aiohttp.ClientSession, offer: str) -> tuple[int, str, str]:
    """Status, answer and location."""
    async with http.post("/whep", data=offer, headers={"Content-Type": "application/sdp"}) as response:
        return response.status, await response.text(), response.headers.get("Location", "")


@asynccontextmanager
async def stock_client(sender: Sender) -> AsyncIterator[tuple[StockClient, aiohttp.ClientSession, str]]:
    """One that has joined, with its location."""
    client = StockClient()
    async with aiohttp.ClientSession(sender.server.address.http) as http:
        status, answer, location = await post(http, await client.offer())
        assert status == 201
        await client.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        try:
            yield client, http, location
        finally:
            await client.connection.close()


async def test_a_stock_client_joins_with_two_channels_and_leaves_by_its_location() -> None:
    async with serving() as sender, stock_client(sender) as (client, http, location):
        there = (await the_one(sender)).transport
        end = Packet(Kind.CONTROL, stream=1, sequence=1, payload=b"end").to_bytes()
        for packet in (MEDIA, end):
            await there.send(packet)
            assert await client.came.get() == packet
        async with http.delete(location) as response:
            assert response.status == 200
        assert await there.wait_lost(5)
        async with http.delete("/whep/nobody") as response:
            assert response.status == 404


async def test_nonsense_on_the_channels_is_dropped_and_the_stream_goes_on() -> None:
    async with serving() as sender, stock_client(sender) as (client, _, _):
        there = (await the_one(sender)).transport
        for nonsense in ("text", b"", bytes(5000), REPORT):
            client.control.send(nonsense)
        assert await there.receive() == REPORT
        assert there.refused == 3


async def test_a_peer_that_opens_channels_of_its_own_is_dropped() -> None:
    async with serving() as sender, stock_client(sender) as (client, _, _):
        there = (await the_one(sender)).transport
        client.connection.createDataChannel("mine")
        assert await there.wait_lost(5)


async def test_a_peer_that_floods_with_nonsense_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "MAX_REFUSED", 10)
    async with serving() as sender, stock_client(sender) as (client, _, _):
        there = (await the_one(sender)).transport
        for _ in range(20):
            client.control.send("nonsense")
        assert await there.wait_lost(5)


async def test_a_peer_that_goes_beyond_the_window_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK_AFTER_S", 0.01)
    async with serving() as sender, joined(sender.url):
        there = (await the_one(sender)).transport
        assert not there.is_hostile
        there.connection.sctp._advertised_rwnd = -1  # as after a megabyte of fragments that make no message
        assert "sends what no receiver sends: dropped" in await sender.said.next()
        assert await there.wait_lost(5)


async def test_an_offer_from_nowhere_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECT_S", 0.2)
    monkeypatch.setattr(server, "MAX_RECEIVERS", 1)
    stranger = StockClient()
    async with serving() as sender, aiohttp.ClientSession(sender.server.address.http) as http:
        offer = await stranger.offer()
        status, _, _ = await post(http, re.sub(r"a=candidate:.*\r\n", "", offer))
        assert status == 201
        assert "did not connect (ICE failed)" in await sender.said.next()
        assert sender.server.statistics.failed == 1
        async with stock_client(sender):
            await the_one(sender)
    await stranger.connection.close()


def test_joining_has_time_limits() -> None:
    assert joining.REQUEST_S > server.ANSWER_S
    assert joining.CONNECT_S <= server.CONNECT_S


async def test_an_answer_may_come_in_pieces_and_is_not_read_without_end() -> None:
    for pieces in ([b"v=0", b"\r\no=- 1"], [b"x" * MAX_BYTES] * 9):
        taken = list[bytes]()

        async def come(pieces: list[bytes] = pieces, taken: list[bytes] = taken) -> AsyncIterator[bytes]:
            for piece in pieces:
                taken.append(piece)
                yield piece

        response = SimpleNamespace(content=SimpleNamespace(iter_any=come))
        assert await _read(cast(aiohttp.ClientResponse, response)) == b"".join(pieces)[: MAX_BYTES + 1]
        assert len(taken) == 2


async def test_who_has_everything_joins_again_only_when_the_sender_has_begun_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joining, "AWAY_S", 0.05)
    async with serving() as sender:
        url = sender.url
        async with joined(url) as (receiver, _):
            there = (await the_one(sender)).transport
            receiver.finished()
            there.close()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await sender.server.next_receiver()
            await sender.server.close()
            async with serving(url) as again:
                await (await the_one(again)).transport.send(MEDIA)
                assert await receiver.receive() == MEDIA
