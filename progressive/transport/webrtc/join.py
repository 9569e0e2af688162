"""The receiver's side: joins a sender, and again with growing pauses where it is not there yet or was lost."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
from aiortc import RTCSessionDescription

from progressive.errors import RunError, WireError
from progressive.transport.access import Access
from progressive.transport.base import TransportClosed
from progressive.transport.inbox import Inbox
from progressive.transport.pauses import growing_pauses
from progressive.transport.schemes import Say
from progressive.transport.webrtc.address import RUN_HEADER, WebRtcAddress, parse_webrtc_url
from progressive.transport.webrtc.connection import check_ice_servers, make_connection
from progressive.transport.webrtc.description import MAX_BYTES, parse_description
from progressive.transport.webrtc.peer import PeerTransport, to_its_end
from progressive.transport.webrtc.tokens import Tokens, read_tokens

REQUEST_S = 20.0
CONNECT_S = 15.0
"""How long the channels may take to open once the sender has answered."""

BUFFER_BYTES = 1 << 16
"""Reports that may wait to be sent: minutes of them."""

AWAY_S = 5.0
"""How often a sender that has sent all is asked whether it has begun anew."""

FLUSH_S = 0.3
"""How long a last report may take to the sender."""

MAX_REASON = 200


class NotThere(Exception):  # noqa: N818, a state of the other end
    """No connection for now; the text says why, and another try may go better."""


class JoiningTransport:
    """A receiver's transport that keeps itself joined until it is closed."""

    def __init__(self, address: WebRtcAddress, tokens: Tokens | None, ice_servers: tuple[str, ...], say: Say) -> None:
        self._address, self._tokens, self._ice_servers, self._say = address, tokens, ice_servers, say
        self._inbox: Inbox[bytes] = Inbox()
        self._peer: PeerTransport | None = None
        self._finished = False
        self._run = ""
        self._joining = asyncio.create_task(self._stay_joined())

    @property
    def place(self) -> str:
        return f"joining {self._address}"

    async def send(self, data: bytes) -> None:
        if self._peer is not None:
            await self._peer.send(data)

    async def receive(self) -> bytes:
        try:
            return await self._inbox.get()
        except TransportClosed:
            if not self._joining.cancelling():
                await self._joining
            raise

    def close(self) -> None:
        self._inbox.close()
        if not self._joining.cancelling():  # once: another one would cut off the leaving
            self._joining.cancel()

    @property
    def dropped_in_words(self) -> str:
        return ""  # DTLS lets nobody else in

    def finished(self) -> None:
        self._finished = True

    async def wait_closed(self) -> None:
        await asyncio.wait([self._joining])

    async def _stay_joined(self) -> None:
        timeout = aiohttp.ClientTimeout(total=REQUEST_S)
        try:
            async with aiohttp.ClientSession(self._address.http, timeout=timeout) as http:
                pauses = growing_pauses()
                told = ""
                while True:
                    try:
                        await self._join_once(http)
                        pauses, told = growing_pauses(), ""
                        if self._finished:
                            await self._wait_for_another_run(http)
                        else:
                            self._say(f"the connection to {self._address} was lost: joining again")
                    except NotThere as reason:
                        if str(reason) != told:
                            told = str(reason)
                            self._say(f"{told}: trying again")
                    await asyncio.sleep(next(pauses))
        finally:
            self._inbox.close()

    async def _wait_for_another_run(self, http: aiohttp.ClientSession) -> None:
        """Until the sender whose photos all came has gone, or another serves in its place."""
        while self._finished:
            await asyncio.sleep(AWAY_S)
            try:
                async with http.get("/run", allow_redirects=False) as response:
                    body = (await _read(response)).decode(errors="replace")
                    self._finished = response.status != 200 or body == self._run
            except (aiohttp.ClientError, TimeoutError, OSError):
                self._finished = False

    async def _join_once(self, http: aiohttp.ClientSession) -> None:
        """Joins and passes on what comes until the connection is lost.

        Raises NotThere if it does not come about, RunError if it never will.
        """
        peer = PeerTransport(make_connection(self._ice_servers), buffer_bytes=BUFFER_BYTES)
        location = ""
        try:
            connection = peer.connection
            await connection.setLocalDescription(await connection.createOffer())
            location, answer = await self._offer(http, connection.localDescription.sdp)
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            try:
                await peer.wait_open(CONNECT_S)
            except TransportClosed:
                raise NotThere(
                    f"{self._address} answers, but packets find no way (ICE failed): open UDP between the two, or give "
                    "both ends the same --ice-server"
                ) from None
            self._peer = peer
            with contextlib.suppress(TransportClosed):
                while True:
                    self._inbox.put(await peer.receive())
        finally:
            await to_its_end(self._leave(http, peer, location))

    async def _offer(self, http: aiohttp.ClientSession, offer: str) -> tuple[str, str]:
        """Sends the offer; returns where to leave, and the answer."""
        headers = {"Content-Type": "application/sdp"} | ({"Authorization": self._tokens.header} if self._tokens else {})
        try:
            async with http.post("/whep", data=offer, headers=headers, allow_redirects=False) as response:
                body = (await _read(response)).decode(errors="replace")
                if response.status == 503:
                    raise NotThere(f"{self._address} refuses: {_one_line(body)}")
                if response.status in {401, 403}:
                    raise RunError(f"{self._address} refuses: {_one_line(body)}")
                if response.status != 201:
                    raise RunError(
                        f"no sender serves at {self._address}: HTTP status {response.status} {_one_line(body)}"
                    )
                self._run = response.headers.get(RUN_HEADER, "")
                return response.headers.get("Location", ""), parse_description(body).to_sdp()
        except WireError as error:
            raise RunError(
                f"no sender serves at {self._address}: its answer is no session description: {error}"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "nobody answers" if isinstance(error, aiohttp.ClientConnectorError | TimeoutError) else "no HTTP"
            raise NotThere(f"{reason} at {self._address}") from None

    async def _leave(self, http: aiohttp.ClientSession, peer: PeerTransport, location: str) -> None:
        try:
            # A sender that has sent all ends the connection when it hears so, which must not be cut off.
            if self._peer is not None:
                await peer.wait_lost(FLUSH_S)
                self._peer = None
            if location.startswith("/whep/") and not peer.closed:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with http.delete(location, timeout=aiohttp.ClientTimeout(total=1.0)):
                        pass
        finally:
            peer.close()
            await peer.wait_closed()


async def join(url: str, access: Access, say: Say) -> JoiningTransport:
    """A transport that joins the sender at this address; raises UsageError if the call is wrong."""
    check_ice_servers(access.ice_server)
    tokens = None if access.token_file is None else read_tokens(access.token_file)
    return JoiningTransport(parse_webrtc_url(url), tokens, access.ice_server, say)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, in however many pieces it comes; of one that is too long the beginning."""
    body = b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BYTES:
            break
    return body[: MAX_BYTES + 1]


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:MAX_REASON]).strip()
