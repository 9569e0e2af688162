"""The page's files over HTTP, and the weights that a browser decodes with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from progressive.registry import CODECS
from progressive.transport.access import Access
from progressive.transport.webrtc import page
from progressive.transport.webrtc.server import WebRtcServer, open_server

TOKEN = "correct-horse-battery"
MODEL = "0123456789abcdef"
WEIGHTS = bytes(range(256)) * 2000


@asynccontextmanager
async def serving(tmp_path: Path, **access: Path) -> AsyncIterator[tuple[WebRtcServer, aiohttp.ClientSession]]:
    server = await open_server("webrtc://127.0.0.1:0", Access(**access), lambda _line: None, buffer_bytes=1 << 16)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(WEIGHTS)
    server.page.hand_out({MODEL: weights})
    try:
        async with aiohttp.ClientSession(server.address.http) as http:
            yield server, http
    finally:
        await server.close()


async def test_the_page_is_whole_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, http):
        async with http.get("/") as answer:
            text = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
            assert answer.content_type == "text/html"
        assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'")
        for name, kind in (
            ("page/main.js", "text/javascript"),
            ("session/session.js", "text/javascript"),
            ("view/style.css", "text/css"),
            ("view/icon.svg", "image/svg+xml"),
        ):
            async with http.get(f"/{name}") as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                text += await answer.text()
        for outside in ("/page/..%2f__init__.py", "/page/%2e%2e/__init__.py", "/view/nothing.js", "/weights/nothing"):
            async with http.get(outside) as answer:
                assert answer.status == 404
    assert "http" not in text.replace("http://www.w3.org/", "").replace("by HTTP", "")


async def test_a_browser_learns_the_names_of_codecs_and_gets_the_weights_of_a_model_to_keep(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, http):
        async with http.get("/about.json") as answer:
            about = await answer.json()
        assert about["weights"] == [MODEL]
        assert about["codecs"][str(CODECS["rmpgc"].number)] == "rmpgc"
        async with http.get(f"/weights/{MODEL}") as answer:
            assert await answer.read() == WEIGHTS
            assert "immutable" in answer.headers["Cache-Control"]


async def test_weights_are_for_those_with_a_token_where_one_is_asked_for(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    async with serving(tmp_path, token_file=tokens) as (server, http):
        assert server.invitation == f"{server.address.http}/#token={TOKEN}"
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 200)):
            async with http.get(f"/weights/{MODEL}", headers=headers) as answer:
                assert answer.status == status


async def test_who_takes_no_weights_holds_them_up_for_nobody_and_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "MOST_DOWNLOADS", 1)
    monkeypatch.setattr(page, "DOWNLOAD_S", 0.3)
    monkeypatch.setitem(globals(), "WEIGHTS", bytes(20_000_000))  # more than the system keeps for a reader
    async with serving(tmp_path) as (server, http):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.address.port)
        writer.write(f"GET /weights/{MODEL} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        async with http.get(f"/weights/{MODEL}") as answer:
            assert answer.status == 503
        async with asyncio.timeout(10):
            while True:
                async with http.get(f"/weights/{MODEL}") as answer:
                    if answer.status == 200:
                        break
        writer.close()
