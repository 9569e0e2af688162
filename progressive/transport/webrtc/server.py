"""The sender's side: an HTTP server where receivers join, and the connections that come of it."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EADDRINUSE
from math import inf
from socket import gaierror
from urllib.parse import quote

from aiohttp import web
from aiortc import RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from progressive.errors import UsageError, WireError
from progressive.transport.access import Access
from progressive.transport.base import TransportClosed
from progressive.transport.descriptors import accepted_at_once, affordable
from progressive.transport.http_limits import ConnectionLimits, Guesses
from progressive.transport.inbox import Inbox
from progressive.transport.schemes import Say
from progressive.transport.webrtc.address import RUN_HEADER, WebRtcAddress, parse_webrtc_url
from progressive.transport.webrtc.connection import check_ice_servers, make_connection
from progressive.transport.webrtc.description import MAX_BYTES, Description, parse_description
from progressive.transport.webrtc.gate import MAX_CONNECTION_S, MAX_CONNECTIONS, QUIET, Gate, Refusal
from progressive.transport.webrtc.page import PageFiles
from progressive.transport.webrtc.peer import PeerTransport
from progressive.transport.webrtc.tokens import Tokens, read_tokens

MAX_RECEIVERS = 64
"""Receivers at a time, those that are joining included: each takes a socket or two, and some megabytes."""

CONNECT_S = 15.0
"""How long a receiver may take from its offer to open channels."""

ANSWER_S = 8.0
"""How long the search for addresses of ours may take, STUN and TURN servers included."""

LOOK_AFTER_S = 1.0
KEEP_ALIVE_S = 5.0

REFUSALS_TOLD_S = 1.0
"""Least time between two lines about refused requests: a flood of them must not flood the terminal."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A receiver whose channels are open.

    Fields:
        name: for people: its number since the start, and the address that it joined from.
        transport: to it.
    """

    name: str
    transport: PeerTransport


@dataclass(slots=True)
class ServerStatistics:
    """Counts since the start.

    Fields:
        joined: receivers whose channels opened.
        failed: receivers that were answered but never connected.
        refused: requests that were not answered with a connection.
    """

    joined: int = 0
    failed: int = 0
    refused: int = 0


class WebRtcServer:
    """Serves at an address until closed; `next_receiver` gives those that have joined, one after the other.

    Fields:
        statistics: what happened since the start.
        page: for browsers.
    """

    def __init__(self, tokens: Tokens | None, ice_servers: tuple[str, ...], say: Say, *, buffer_bytes: int) -> None:
        self.statistics = ServerStatistics()
        self._tokens, self._ice_servers, self._say, self._buffer_bytes = tokens, ice_servers, say, buffer_bytes
        self._limits = ConnectionLimits(MAX_CONNECTIONS, MAX_CONNECTION_S)
        self.page = PageFiles(admit=self._check_token, lift=self._limits.lift)
        self._joined: Inbox[Joined] = Inbox()
        self._peers: dict[str, PeerTransport] = {}
        self._run_id = secrets.token_hex(8)
        self._joining: dict[str, str] = {}
        self._guesses = Guesses()
        self._places = affordable(MAX_RECEIVERS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._told_s = -inf
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> WebRtcAddress:
        """The address in use; tells the port that the system chose where 0 was asked for."""
        return self._address

    @property
    def invitation(self) -> str:
        """The page's address for whoever may join, the first token included if one is asked for. Browsers do not send
        what follows the #."""
        return self.address.link + ("" if self._tokens is None else f"#token={quote(self._tokens.tokens[0].text)}")

    @property
    def receivers(self) -> int:
        """Those that are joining or have joined."""
        return len(self._peers)

    async def open(self, address: WebRtcAddress) -> None:
        """Listens; raises UsageError if that is impossible."""
        gate = Gate(address.host, tokens=self._tokens is not None, note=self._note_refusal)
        app = web.Application(client_max_size=MAX_BYTES, middlewares=[gate.middleware()])
        app.router.add_post("/whep", self._join)
        app.router.add_delete("/whep/{name}", self._leave)
        app.router.add_get("/run", self._tell_run)
        self.page.add_to(app)
        self._runner = web.AppRunner(
            app, access_log=None, logger=QUIET, keepalive_timeout=KEEP_ALIVE_S, shutdown_timeout=1.0
        )
        await self._runner.setup()
        served = self._runner.server
        assert served is not None
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._limits.protocols(served), address.host, address.port, backlog=accepted_at_once()
            )
        except gaierror:
            raise UsageError(f"{address.host!r} is not a known host: check the address {address}") from None
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno == EADDRINUSE:
                raise UsageError(f"{address} is in use: stop what serves there, or choose another port") from None
            raise UsageError(f"{address} cannot be served at: {getattr(error, 'strerror', None) or error}") from None
        self._run(self._limits.watch(served))
        self._address = WebRtcAddress(address.host, self._server.sockets[0].getsockname()[1])

    async def next_receiver(self) -> Joined:
        """The next one that has joined; raises TransportClosed once the server is closed."""
        return await self._joined.get()

    async def close(self) -> None:
        """Lets nobody in any more and ends all connections."""
        self._joined.close()
        if self._server is not None:
            self._server.close()
        peers = list(self._peers.values())
        for peer in peers:
            peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(peer.wait_closed() for peer in peers), return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _join(self, request: web.Request) -> web.Response:
        self._check_token(request)
        if request.content_type != "application/sdp":
            raise Refusal(415, "an offer has the content type application/sdp")
        offer = await _read_offer(request)
        if self._tokens is None:
            offer = offer.near(request.remote or "")
        if self.receivers >= self._places and not self._make_room():
            raise Refusal(503, f"all {self._places} places are taken, try again later")
        peer = PeerTransport(make_connection(self._ice_servers), buffer_bytes=self._buffer_bytes)
        name = secrets.token_urlsafe(16)
        self._peers[name] = peer
        answer = ""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await _answer(peer, offer)
        except TimeoutError:
            raise Refusal(503, f"no address to answer with in {ANSWER_S:.0f} s: are the ICE servers there?") from None
        finally:
            if not answer:
                self._run(self._let_go(name, peer))
        self._count += 1
        self._joining[name] = request.remote or ""
        self._run(self._look_after(name, f"receiver {self._count} ({request.remote})", peer, offer))
        headers = {"Location": f"/whep/{name}", RUN_HEADER: self._run_id}
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def _tell_run(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._run_id)

    def _check_token(self, request: web.Request) -> None:
        if self._tokens is None:
            return
        now = asyncio.get_running_loop().time()
        if self._guesses.must_wait(request.remote, now):
            raise Refusal(429, "too many wrong tokens came from there: wait a minute")
        if reason := self._tokens.refusal(request.headers.get("Authorization"), datetime.now(UTC)):
            self._guesses.note(request.remote, now)
            raise Refusal(401, reason)

    def _make_room(self) -> bool:
        """Gives up the oldest that is still joining from where most are, so that nobody holds all places with offers
        alone; False if all have joined."""
        if not self._joining:
            return False
        crowd = Counter(self._joining.values()).most_common(1)[0][0]
        name = next(name for name, remote in self._joining.items() if remote == crowd)
        del self._joining[name]
        self._peers.pop(name).close()
        return True

    async def _leave(self, request: web.Request) -> web.Response:
        peer = self._peers.get(request.match_info["name"])
        if peer is None:
            raise web.HTTPNotFound(reason="no such receiver, it has left already")
        peer.close()
        return web.Response(status=200)

    async def _look_after(self, name: str, words: str, peer: PeerTransport, offer: Description) -> None:
        """Follows a receiver from the answer until its connection is closed."""
        for candidate in offer.hidden:
            self._run(_add_hidden(peer, offer.mid, candidate))
        try:
            await peer.wait_open(CONNECT_S)
            self._joining.pop(name, None)
            self.statistics.joined += 1
            self._joined.put(Joined(words, peer))
            while not await peer.wait_lost(LOOK_AFTER_S):
                if peer.is_hostile:
                    self._say(f"{words} sends what no receiver sends: dropped")
                    peer.close()
        except TransportClosed:
            self.statistics.failed += 1
            self._say(f"{words} did not connect (ICE failed): is there a firewall or another network between?")
        finally:
            await self._let_go(name, peer)

    async def _let_go(self, name: str, peer: PeerTransport) -> None:
        """Ends a connection; its place is free, and it is no longer ours to close, once that is done."""
        peer.close()
        try:
            await peer.wait_closed()
        finally:
            self._joining.pop(name, None)
            self._peers.pop(name, None)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note_refusal(self, remote: str, reason: str) -> None:
        self.statistics.refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_s >= REFUSALS_TOLD_S:
            self._told_s = now
            self._say(f"refused {remote}: {reason}")


async def open_server(url: str, access: Access, say: Say, *, buffer_bytes: int) -> WebRtcServer:
    """A server that listens at this address; raises UsageError if that is impossible."""
    address = parse_webrtc_url(url)
    check_ice_servers(access.ice_server)
    tokens = None if access.token_file is None else read_tokens(access.token_file)
    server = WebRtcServer(tokens, access.ice_server, say, buffer_bytes=buffer_bytes)
    await server.open(address)
    return server


async def _read_offer(request: web.Request) -> Description:
    try:
        return parse_description((await request.read()).decode())
    except UnicodeDecodeError:
        raise Refusal(400, "an offer is text") from None
    except WireError as error:
        raise Refusal(400, str(error)) from None


async def _answer(peer: PeerTransport, offer: Description) -> str:
    connection = peer.connection
    await connection.setRemoteDescription(RTCSessionDescription(offer.to_sdp(), "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return connection.localDescription.sdp


async def _add_hidden(peer: PeerTransport, mid: str, candidate: str) -> None:
    """Looks for a browser at an address behind a name, which takes a second where nobody answers."""
    found = candidate_from_sdp(candidate)
    found.sdpMid = mid
    with suppress(ValueError, OSError):
        await peer.connection.addIceCandidate(found)
