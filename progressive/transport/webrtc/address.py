"""Addresses of senders that serve: `webrtc://HOST:PORT`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from progressive.errors import UsageError
from progressive.transport.own_address import reachable_host

RUN_HEADER = "Progressive-Run"
"""Of an answer to an offer: which run of a sender this is, so that a receiver that has all of it knows another one."""

FORM = "write webrtc://HOST:PORT, such as webrtc://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class WebRtcAddress:
    """Where a sender serves by HTTP; prints as the URL it was parsed from."""

    host: str
    port: int

    @property
    def link(self) -> str:
        """Where browsers of other machines find the page: where every address is listened at, at that of this one."""
        return WebRtcAddress(reachable_host(self.host), self.port).http + "/"

    @property
    def http(self) -> str:
        """The root of what is served there."""
        return "http" + str(self).removeprefix("webrtc")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"webrtc://{host}:{self.port}"


def parse_webrtc_url(url: str) -> WebRtcAddress:
    """Parses `webrtc://HOST:PORT`, an IPv6 host in brackets; raises UsageError for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{url!r} is not an address: {FORM}, with a port of 0 to 65535") from None
    if parts.scheme != "webrtc" or not host or port is None:
        raise UsageError(f"{url!r} is not a host and a port: {FORM}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(f"{url!r} holds more than a host and a port: {FORM}")
    return WebRtcAddress(host, port)
