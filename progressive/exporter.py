"""Counters of a run for Prometheus, in its text format over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE
from urllib.parse import urlsplit

from progressive.display import Display, Displays
from progressive.errors import UsageError
from progressive.files import reason
from progressive.registry import imported


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
        from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
    except ImportError:
        raise UsageError("--metrics needs prometheus-client: pip install 'progressive[metrics]'") from None
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    counting = [imported(path)(registry) for path in counters]
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        problem = "is in use" if error.errno == EADDRINUSE else f"cannot be listened at: {reason(error)}"
        raise UsageError(f"the metrics' address {address} {problem}: choose another one") from None
    display.note(f"metrics at http://{host}:{server.server_port}/metrics")
    try:
        yield Displays([display, *counting])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
