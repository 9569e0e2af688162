"""The viewer beside a run: a web server in a thread of its own, fed with what a display is told."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from errno import EADDRINUSE
from types import TracebackType
from typing import Self

from progressive.errors import ProgressiveError, UsageError
from progressive.files import reason
from progressive.shell.cli import tell_error
from progressive.shell.display import Display, Displays, QuietDisplay
from progressive.transport.descriptors import accepted_at_once
from receiver.viewer.address import ViewAddress, parse_view_address
from receiver.viewer.gallery import Exhibit, Gallery

STOP_S = 10.0

_LOGGER = logging.getLogger("progressive.viewer")
_LOGGER.addHandler(logging.NullHandler())  # what strangers send is of no interest at a terminal


class Viewer:
    """Serves a gallery while it is open.

    The run that is watched never waits for it: observations are noted in memory, all else happens in the thread.
    """

    def __init__(self, gallery: Gallery, address: ViewAddress) -> None:
        self.gallery = gallery
        self.address = address
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="viewer", daemon=True)
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._patient = True

    def __enter__(self) -> Self:
        """Opens the page; `address` tells the port in use. Raises UsageError if it cannot be served there."""
        try:
            import aiohttp  # noqa: F401
        except ImportError:
            raise UsageError("the viewer needs aiohttp: pip install 'progressive[view]'") from None
        self._socket = _listen(self.address)
        self.address = replace(self.address, port=self._socket.getsockname()[1])
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the page, once the browsers that show it have what they lack; at once if somebody asked to stop."""
        self._patient = kind is not KeyboardInterrupt
        with suppress(RuntimeError):
            self._stop()
        self._thread.join(timeout=STOP_S)

    def stay(self, display: Display) -> None:
        """Keeps the page until Ctrl-C, if there is a person to press it."""
        if not sys.stdout.isatty():
            return
        display.note(f"the page stays at {self.address.url} until Ctrl-C")
        with suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(timeout=1.0)

    async def _serve(self) -> None:
        from aiohttp import web

        from receiver.viewer.server import KEEP_ALIVE_S, PageServer

        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server = PageServer(self.gallery, self.address)
        runner = web.AppRunner(
            server.app, access_log=None, logger=_LOGGER, keepalive_timeout=KEEP_ALIVE_S, shutdown_timeout=0.5
        )
        await runner.setup()
        assert runner.server is not None
        listener = await loop.create_server(
            server.limits.protocols(runner.server), sock=self._socket, backlog=accepted_at_once()
        )
        watching = asyncio.create_task(server.limits.watch(runner.server))
        self._ready.set()
        await stopped.wait()
        await server.close(patient=self._patient)
        listener.close()
        watching.cancel()
        await runner.cleanup()


def _listen(address: ViewAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        if error.errno == EADDRINUSE:
            problem = "is in use: stop what listens there, or choose another port"
        else:
            problem = f"cannot be listened at: {reason(error)}"
        raise UsageError(f"the viewer's address {address} {problem}") from None


@contextmanager
def viewed(display: Display, address: str | None, name: str) -> Iterator[Display]:
    """The display and a page beside it that shows what one receiver goes through; an address of None shows none.

    A person at a terminal may look at the page for as long as they like after the run; elsewhere it ends with the run.

    Args:
        display: of the run.
        address: `HOST:PORT` or `PORT`.
        name: of the receiver.

    Raises:
        UsageError: the address is wrong or in use, or aiohttp is not installed.
    """
    if address is None:
        yield display
        return
    with Viewer(Gallery("progressive"), parse_view_address(address)) as viewer:
        display.note(f"viewer at {viewer.address.url}")
        try:
            yield Displays([display, ViewerDisplay(viewer.gallery, name)])
        except ProgressiveError as error:
            if sys.stdout.isatty():  # whoever looks at the page that stays wants to know now, not afterwards
                tell_error(error)
            viewer.stay(display)
            raise
        else:
            viewer.stay(display)


class ViewerDisplay(QuietDisplay):
    """Passes on what one receiver goes through to a gallery."""

    def __init__(self, gallery: Gallery, name: str, detail: str = "") -> None:
        self._gallery = gallery
        self._receiver = gallery.add(Exhibit(name, detail))

    def observe(self, event: object) -> None:
        self._gallery.observe(self._receiver, event)

    def settings(self, settings: Mapping[str, str]) -> None:
        told = (settings.get(name) for name in ("source", "bandwidth", "channel", "from"))
        self._gallery.change(self._receiver, detail=" · ".join(words for words in told if words))
