"""The page's web server: static files, what is new as lines of JSON, pictures, and requests to receivers."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from aiohttp import web
from PIL import Image

from progressive.browser import files_of
from progressive.transport.http_limits import ConnectionLimits
from receiver.viewer.address import ViewAddress
from receiver.viewer.gallery import Gallery, Reader
from receiver.viewer.guard import add_headers, guard

NEWS_INTERVAL_S = 0.05
"""Least pause between two messages to a page."""

HEARTBEAT_S = 2.5
"""A page that hears nothing for three times this knows that the receiver is gone."""

STALLED_S = 20.0
"""A page that takes no more for so long is let go; it comes back by itself."""

FAREWELL_S = 3.0
"""How long pages may take, when all is over, to fetch what they lack."""

HASTY_FAREWELL_S = 0.5
"""The same where somebody asked to stop."""

MOST_PAGES = 32

MOST_CONNECTIONS = 128
"""Open connections: of all pages, and one or more of each for pictures."""

STRANGER_S = 20.0
"""Longest life of a connection that has not asked for anything with the token yet; the page's files take far less."""

KEEP_ALIVE_S = 30.0
"""How long a page's connection waits for the next request."""

LARGEST_SHOWN = 4_000_000
"""Pixels of the largest picture that a page is sent as it is; larger ones are sent smaller, and whole on download."""


class PageServer:
    """Serves a gallery to pages, on the event loop of its own thread.

    A page asks for news with one request that is answered for as long as it listens. Each has a reader of its own, so
    that a slow one is told less often and nobody waits for it.
    """

    def __init__(self, gallery: Gallery, address: ViewAddress) -> None:
        self._gallery = gallery
        self._pages: set[asyncio.Event] = set()
        self._over = False
        self._deserted = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.limits = ConnectionLimits(MOST_CONNECTIONS, STRANGER_S)
        self.app = web.Application(middlewares=[guard(address, self.limits)], client_max_size=4096)
        self.app.on_response_prepare.append(add_headers)
        self.app.router.add_get("/", self._file)
        self.app.router.add_get("/{folder:page|view}/{name}", self._file)
        self.app.router.add_get("/api/news", self._news)
        self.app.router.add_get("/api/pictures/{receiver:\\d+}/{photo:\\d+}/{number:\\d+}", self._picture)
        self.app.router.add_post("/api/receivers/{receiver:\\d+}/{action}", self._act)
        gallery.listen(self._changed)

    async def close(self, *, patient: bool = True) -> None:
        """Tells all pages that nothing more comes, and waits a little for them to fetch what they lack."""
        self._over = True
        self._wake()
        if self._pages:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._deserted.wait(), FAREWELL_S if patient else HASTY_FAREWELL_S)

    def _changed(self) -> None:
        """Called from the receiver's thread."""
        if self._pages:
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for changed in self._pages:
            changed.set()

    async def _file(self, request: web.Request) -> web.Response:
        folder, name = request.match_info.get("folder", "page"), request.match_info.get("name", "index.html")
        package = "progressive.browser" if folder == "view" else "receiver.viewer"
        file = files_of(package, folder).get(name)
        if file is None:
            raise web.HTTPNotFound(text="there is no such file\n")
        return web.Response(body=file.content, content_type=file.type, charset="utf-8")

    async def _news(self, request: web.Request) -> web.StreamResponse:
        if len(self._pages) >= MOST_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MOST_PAGES} pages are open already: close one\n")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        changed, reader = asyncio.Event(), Reader()
        self._pages.add(changed)
        try:
            await _write(response, [{"type": "hello", "title": self._gallery.title, "run": self._gallery.run}])
            while True:
                changed.clear()
                over = self._over
                await _write(response, self._gallery.news(reader))
                if over:
                    await _write(response, [{"type": "over"}])
                    return await _until_gone(response)
                await self._next_change(changed, response)
        except ConnectionError:
            return response
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # closing would wait for the page to take the rest
            return response
        finally:
            self._pages.discard(changed)
            if self._over and not self._pages:
                self._deserted.set()

    async def _next_change(self, changed: asyncio.Event, response: web.StreamResponse) -> None:
        await asyncio.sleep(NEWS_INTERVAL_S)
        while not changed.is_set():
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                await _write(response, [{"type": "heartbeat"}])

    async def _picture(self, request: web.Request) -> web.Response:
        receiver, photo, number = (int(request.match_info[name][:9]) for name in ("receiver", "photo", "number"))
        path = self._gallery.picture(receiver, photo, number, request.query.get("look", ""))
        try:
            if path is None:
                raise FileNotFoundError
            whole = "whole" in request.query
            data, kind = await asyncio.to_thread(_read_picture, path, whole=whole)
        except OSError:
            raise web.HTTPNotFound(text="there is no such picture\n") from None
        return web.Response(body=data, content_type=kind)

    async def _act(self, request: web.Request) -> web.Response:
        action = self._gallery.action(int(request.match_info["receiver"][:9]), request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound(text="this cannot be asked of this receiver\n")
        await asyncio.to_thread(action)
        return web.Response(status=204)


async def _write(response: web.StreamResponse, messages: list[dict[str, Any]]) -> None:
    """Sends messages; raises TimeoutError if the page takes nothing for too long."""
    if messages:
        lines = "".join(json.dumps(message, separators=(",", ":"), allow_nan=False) + "\n" for message in messages)
        await asyncio.wait_for(response.write(lines.encode()), STALLED_S)


async def _until_gone(response: web.StreamResponse) -> NoReturn:
    """The page closes the connection, which raises ConnectionError, once it has all pictures that it wants."""
    while True:
        await _write(response, [{"type": "heartbeat"}])
        await asyncio.sleep(NEWS_INTERVAL_S)


def _read_picture(path: Path, *, whole: bool) -> tuple[bytes, str]:
    with Image.open(path) as picture:
        width, height = picture.size
        if whole or width * height <= LARGEST_SHOWN:
            return path.read_bytes(), "image/png"
        scale = (LARGEST_SHOWN / (width * height)) ** 0.5
        small = picture.convert("RGB").resize((max(1, int(width * scale)), max(1, int(height * scale))))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), "image/jpeg"
