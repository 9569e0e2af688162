"""What the HTTP server answers to requests that do not come from a receiver of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from progressive.transport.access import Access
from progressive.transport.webrtc import server
from progressive.transport.webrtc.server import open_server

SDP = {"Content-Type": "application/sdp"}
TOKEN = "correct-horse-battery"


@asynccontextmanager
async def serving(token_file: Path | None = None) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    """A client of a server, and its port."""
    opened = await open_server("webrtc://127.0.0.1:0", Access(token_file=token_file), lambda _: None, buffer_bytes=1)
    try:
        async with aiohttp.ClientSession(opened.address.http) as http:
            yield http, opened.address.port
    finally:
        await opened.close()


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"v=0\r\n", SDP, 400, "one section, of an application"),
        (b"\xff\xfe", SDP, 400, "an offer is text"),
        (b"", SDP, 400, "not a session description"),
        (b"v=0\r\n", {"Content-Type": "text/plain"}, 415, "content type application/sdp"),
        (b"v" * 20_000, SDP, 413, "Too Large"),
    ],
)
async def test_what_is_no_offer_is_refused_in_one_line(
    body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    async with serving() as (http, _), http.post("/whep", data=body, headers=headers) as response:
        text = await response.text()
        assert (response.status, text.count("\n")) == (status, 1)
        assert says in text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/whep", 405), ("PUT", "/", 405), ("GET", "/../etc/passwd", 404)]
)
async def test_what_is_not_served_is_not_there(method: str, path: str, status: int) -> None:
    async with serving() as (http, _), http.request(method, path) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("http://127.0.0.1:9999", 204),
        ("http://localhost:8080", 204),
        ("https://evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
async def test_only_pages_of_this_machine_may_join_without_a_token(page: str, status: int) -> None:
    async with serving() as (http, _), http.options("/whep", headers={"Origin": page}) as response:
        assert response.status == status
        if status == 204:
            assert response.headers["Access-Control-Allow-Origin"] == page
            assert "Location" in response.headers["Access-Control-Expose-Headers"]
    async with serving() as (http, _), http.post("/whep", headers=SDP | {"Origin": page}) as response:
        assert response.status == (400 if status == 204 else 403)


async def test_a_name_that_somebody_else_lets_resolve_to_here_is_refused() -> None:
    async with serving() as (http, port):
        for host, status in ((f"evil.example:{port}", 403), (f"localhost:{port}", 200), ("[::1", 403)):
            async with http.get("/", headers={"Host": host}) as response:
                assert response.status == status


async def test_with_a_token_pages_from_anywhere_may_join(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    async with serving(file) as (http, _):
        headers = SDP | {"Origin": "https://gallery.example"}
        async with http.options("/whep", headers=headers) as response:
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        async with http.post("/whep", headers=headers) as response:
            assert response.status == 401
        async with http.post("/whep", headers=headers | {"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 400


async def test_whoever_sends_byte_by_byte_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTION_S", 0.1)
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /whep HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_connections_beyond_the_limit_are_closed_and_the_others_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)
    async with serving() as (http, port):
        async with http.get("/") as first:
            await first.read()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()
        async with http.get("/") as again:
            assert again.status == 200
