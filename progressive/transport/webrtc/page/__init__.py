"""The page where a browser joins: plain HTML and ES modules, served from here, which load nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

CONTENT = {
    "index.html": "text/html",
    "style.css": "text/css",
    "show.js": "text/javascript",
    "join.js": "text/javascript",
    "packets.js": "text/javascript",
    "reports.js": "text/javascript",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'"
)


def add_page(app: web.Application) -> None:
    """Serves the page at `/` and its modules beside it."""
    for name, kind in CONTENT.items():
        app.router.add_get("/" if name == "index.html" else f"/{name}", _sender_of(name, kind))


def _sender_of(name: str, kind: str) -> Handler:
    text = (files(__name__) / name).read_text(encoding="utf-8")

    async def send(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return web.Response(text=text, content_type=kind, headers=headers)

    return send
