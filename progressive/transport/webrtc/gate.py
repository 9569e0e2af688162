"""What stands between the network and the handlers of requests: who may ask, from which page, how much, how long."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MAX_CONNECTIONS = 256
"""Open HTTP connections; further ones are closed at once."""

MAX_CONNECTION_S = 60.0
"""Longest life of an HTTP connection, many times what joining takes: whoever sends byte by byte is cut off."""

QUIET = logging.Logger("requests", level=logging.CRITICAL)
"""Tells nothing of requests that are no HTTP, which anyone may send."""


class Refusal(Exception):  # noqa: N818, an answer rather than a failure
    """A request is refused, with this HTTP status and this line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Gate:
    """Middleware that lets a browser's pages in only if they come from where they may, and answers refusals.

    A page of any site in the world may ask a browser to send requests to this machine. Without tokens only pages from
    the server itself, from other ports of its host, and on this machine may; and the host must be called by its
    address or a name of its own, so that no name of somebody else's that resolves to here makes a page look like ours
    (DNS rebinding).
    """

    def __init__(self, host: str, *, tokens: bool, note: Callable[[str, str], None]) -> None:
        """
        Args:
            host: where the server listens.
            tokens: whoever asks needs a token, so pages from anywhere may.
            note: takes the address of somebody refused, and why.
        """
        self._names = {"localhost", host, socket.gethostname(), f"{socket.gethostname()}.local"}
        self._tokens, self._note = tokens, note

    def middleware(self) -> Middleware:
        @web.middleware
        async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
            response: web.StreamResponse
            origin = request.headers.get("Origin")
            try:
                self._check(request, origin)
                response = web.Response(status=204) if request.method == "OPTIONS" else await handler(request)
            except Refusal as refusal:
                self._note(request.remote or "somebody", refusal.reason)
                response = web.Response(status=refusal.status, text=f"{refusal.reason}\n")
            except web.HTTPException as answer:
                response = web.Response(status=answer.status, text=f"{answer.reason}\n")
            except Exception as error:  # noqa: BLE001, a mistake of ours: told, and the others are served
                context = {"message": f"{request.method} {request.path} failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
                response = web.Response(status=500, text="the server made a mistake\n")
            if origin is not None:
                response.headers.update(_cors(origin))
            return response

        return handle

    def _check(self, request: web.Request, origin: str | None) -> None:
        if self._tokens:
            return
        host = _hostname(f"//{request.host}")
        if not (_is_address(host) or host in self._names):
            raise Refusal(403, "this server is not called that: use its address")
        if origin is not None:
            page = _hostname(origin)
            local = _is_loopback(page) and _is_loopback(request.remote or "")
            if page != host and not local:
                raise Refusal(403, "pages of other sites may join only with a token: serve with --token-file")


def _cors(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Expose-Headers": "Location",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
