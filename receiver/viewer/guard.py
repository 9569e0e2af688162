"""Who may ask the page's server for what: checked before any request is answered."""

from __future__ import annotations

import asyncio
import hmac

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from progressive.transport.http_limits import ConnectionLimits, Guesses
from receiver.viewer.address import ViewAddress

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: the page uses nothing but its own files and pictures, and nobody frames it."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def guard(address: ViewAddress, limits: ConnectionLimits) -> Middleware:
    """Lets through what comes from the page itself, with the token where one is asked for; what shows it may last."""

    guesses = Guesses()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = _refusal(request, address, guesses)
        if refusal is not None:
            raise refusal
        if _is_guarded(request):
            limits.lift(request)
        return await handler(request)

    return check


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Called for every response before it is sent."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _refusal(request: web.Request, address: ViewAddress, guesses: Guesses) -> web.HTTPException | None:
    if not address.admits_host(request.host):
        return web.HTTPForbidden(text="this page answers to the name of this machine only\n")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return web.HTTPForbidden(text="requests from other pages are refused\n")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"} and request.path != "/":
        return web.HTTPForbidden(text="requests from other pages are refused\n")
    if address.token and _is_guarded(request):
        now = asyncio.get_running_loop().time()
        if guesses.must_wait(request.remote, now):
            return web.HTTPTooManyRequests(text="too many wrong tokens came from there: wait a minute\n")
        if not _shows_token(request, address.token):
            guesses.note(request.remote, now)
            return web.HTTPUnauthorized(text="open the address that the receiver printed, token included\n")
    return None


def _is_guarded(request: web.Request) -> bool:
    return request.path.startswith("/api/")


def _shows_token(request: web.Request, token: str) -> bool:
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    # Bytes that are no UTF-8 come as surrogates, which a plain encode() refuses.
    return hmac.compare_digest(*(text.encode(errors="surrogateescape") for text in (shown, token)))
