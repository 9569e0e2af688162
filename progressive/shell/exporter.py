"""Counters of a run for Prometheus, in its text format over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from progressive.entry_points import imported
from progressive.errors import UsageError
from progressive.files import reason
from progressive.shell.display import Display, Displays

MOST_CONNECTIONS = 16
"""Open connections, each of which takes a thread; further ones are closed at once."""


@contextmanager
def counted(display: Display, address: str | None, *counters: str) -> Iterator[Display]:
    """The display and counters beside it, served at `/metrics` of an address while the run goes on.

    Args:
        display: of the run.
        address: `PORT` on 127.0.0.1 or `HOST:PORT`; None counts nothing.
        counters: classes of displays that count what they observe, `module:name`, made with a registry.

    Raises:
        UsageError: the address is wrong or in use, or prometheus-client is not installed.
    """
    if address is None:
        yield display
        return
    host, port = _parse(address)
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
    except ImportError:
        raise UsageError("--metrics needs prometheus-client: pip install 'progressive[metrics]'") from None
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    counting = [imported(path)(registry) for path in counters]
    try:
        server = _Server(host, port)
    except OSError as error:
        problem = "is in use" if error.errno == EADDRINUSE else f"cannot be listened at: {reason(error)}"
        raise UsageError(f"the metrics' address {address} {problem}: choose another one") from None
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    display.note(f"metrics at http://{host}:{server.server_port}/metrics")
    try:
        yield Displays([display, *counting])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(WSGIRequestHandler):
    timeout = 10.0
    """Seconds that the other side may neither send nor take anything."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """What is asked for is of no interest at a terminal."""


class _Server(ThreadingMixIn, WSGIServer):
    """Answers every connection in a thread of its own, a few at a time."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self._connections: set[Any] = set()
        super().__init__((host, port), _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self._connections.add(request)
        return len(self._connections) <= MOST_CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        """Called once for every connection, answered or not."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What others do to their connections is of no interest at a terminal."""


def _parse(address: str) -> tuple[str, int]:
    form = "write PORT or HOST:PORT, such as 9100"
    try:
        parts = urlsplit(f"//{address}" if ":" in address else f"//127.0.0.1:{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{address!r} is not an address for metrics: {form}, with a port of 0 to 65535") from None
    more = parts.path or parts.query or parts.fragment or parts.username is not None
    if not host or port is None or more or len(address.split()) != 1:
        raise UsageError(f"{address!r} is not an address for metrics: {form}")
    return host, port
