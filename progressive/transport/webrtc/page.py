"""The page where a browser joins as a receiver, and what it needs to decode photos, all from this package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web

from progressive.browser import FOLDERS, files_of
from progressive.registry import CODECS
from progressive.transport.webrtc.gate import Refusal

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: the page uses nothing but its own files and pictures, and nobody frames it."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

FOR_EVER = "public, max-age=31536000, immutable"
"""Of weights, whose address says what they are: a browser asks for them once."""

MOST_DOWNLOADS = 64
"""Downloads of weights at a time: as many as receivers."""

DOWNLOAD_S = 300.0
"""Longest download of weights: 2 MB at some 60 kbit/s."""

PIECE_BYTES = 1 << 16


class PageFiles:
    """Serves the page at `/`, its modules beside it, and the weights that were handed to it."""

    def __init__(self, *, admit: Callable[[web.Request], None], lift: Callable[[web.Request], None]) -> None:
        """
        Args:
            admit: raises Refusal if a request for weights shows no token that is asked for.
            lift: lets the connection of a request last longer than others.
        """
        self._admit, self._lift = admit, lift
        self._weights: dict[str, Path] = {}
        self._downloads = 0

    def hand_out(self, weights: Mapping[str, Path]) -> None:
        """From now on these weight files, by model id in hexadecimal digits, as well as those before."""
        self._weights |= weights

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._file)
        app.router.add_get(f"/{{folder:{'|'.join(FOLDERS)}}}/{{name}}", self._file)
        app.router.add_get("/about.json", self._about)
        app.router.add_get("/weights/{model}", self._send_weights)

    async def _file(self, request: web.Request) -> web.Response:
        folder, name = request.match_info.get("folder", "page"), request.match_info.get("name", "index.html")
        file = files_of("progressive.browser", folder).get(name)
        if file is None:
            raise web.HTTPNotFound(reason="there is no such file")
        return web.Response(body=file.content, headers=HEADERS | {"Content-Type": file.type})

    async def _about(self, _request: web.Request) -> web.Response:
        """The names of codecs, by number, and the models whose weights are here."""
        codecs = {str(entry.number): name for name, entry in CODECS.items()}
        return web.json_response({"codecs": codecs, "weights": list(self._weights)}, headers=HEADERS)

    async def _send_weights(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        path = self._weights.get(request.match_info["model"])
        if path is None:
            raise Refusal(404, "there are no weights of this model")
        if self._downloads >= MOST_DOWNLOADS:
            raise Refusal(503, f"{MOST_DOWNLOADS} browsers download weights already, try again later")
        self._downloads += 1
        try:
            return await self._send(request, await asyncio.to_thread(path.read_bytes))
        except OSError as error:
            raise Refusal(404, f"the weights cannot be read: {error.strerror or error}") from None
        finally:
            self._downloads -= 1

    async def _send(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Sends it for as long as that may take, over a connection that is used for nothing after it."""
        headers = HEADERS | {"Content-Type": "application/octet-stream", "Cache-Control": FOR_EVER}
        response = web.StreamResponse(headers=headers)
        response.content_length = len(content)
        response.force_close()
        self._lift(request)
        try:
            async with asyncio.timeout(DOWNLOAD_S):
                await response.prepare(request)
                for start in range(0, len(content), PIECE_BYTES):
                    await response.write(content[start : start + PIECE_BYTES])
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # closing would wait for the browser to take the rest
        return response
