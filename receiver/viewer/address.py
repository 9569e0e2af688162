"""Where the page is served, and who may see it."""

from __future__ import annotations

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from progressive.errors import UsageError
from progressive.transport.own_address import reachable_host
from progressive.transport.webrtc.tokens import SHORTEST

DEFAULT_ADDRESS = "127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class ViewAddress:
    """Where to listen.

    Fields:
        host: name or address.
        port: 0 lets the system choose one.
        token: that requests must show; empty on a loopback address, which only this machine reaches.
    """

    host: str
    port: int
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """For a browser. The token is in the fragment, which browsers do not send and servers do not log."""
        place = f"{_bracketed(reachable_host(self.host))}:{self.port}"
        return f"http://{place}/" + (f"#token={self.token}" if self.token else "")

    def admits_host(self, header: str) -> bool:
        """Whether a request's Host header may be. A page elsewhere whose name was made to point here (DNS rebinding)
        says its own name; where a token is asked for, any name may be used."""
        if self.token:
            return True
        try:
            host, port = urlsplit(f"//{header}").hostname, urlsplit(f"//{header}").port
        except ValueError:
            return False
        return port in {self.port, None if self.port == 80 else self.port} and host is not None and is_loopback(host)


def parse_view_address(text: str) -> ViewAddress:
    """Parses `HOST:PORT` or `PORT`; raises UsageError for anything else.

    Where other machines may ask, they have to show a token: the one that `PROGRESSIVE_VIEW_TOKEN` holds, or a new one.
    """
    form = f"write HOST:PORT, such as {DEFAULT_ADDRESS}"
    try:
        parts = urlsplit(f"//{text}" if ":" in text else f"//127.0.0.1:{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{text!r} is not an address for the viewer: {form}, with a port of 0 to 65535") from None
    more = parts.path or parts.query or parts.fragment or parts.username is not None
    if not host or port is None or more or len(text.split()) != 1:
        raise UsageError(f"{text!r} is not an address for the viewer: {form}")
    return ViewAddress(host, port, "" if is_loopback(host) else _token())


def _token() -> str:
    token = os.environ.get("PROGRESSIVE_VIEW_TOKEN")
    if not token:
        return secrets.token_urlsafe(16)
    if len(token) < SHORTEST:
        raise UsageError(
            f"PROGRESSIVE_VIEW_TOKEN can be guessed: use {SHORTEST} characters or more, or unset it for a new token"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
