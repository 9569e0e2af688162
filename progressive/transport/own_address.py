"""The address that others find this machine under."""

from __future__ import annotations

import socket

from progressive.transport.wildcard import is_wildcard


def reachable_host(host: str) -> str:
    """The host, or where every address is listened at the one that others find this machine under."""
    if not is_wildcard(host):
        return host
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))  # sends nothing: the system only tells which address it would use
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
