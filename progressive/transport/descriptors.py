"""Descriptors of the process, of which strangers' connections must leave enough to the run itself."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

DESCRIPTORS_OF_OURS = 32
"""Files, sockets and libraries that a run needs open at the same time, however many strangers come."""


def affordable(most: int) -> int:
    """As many connections as the system lets this process have open, at most so many: half of the descriptors that a
    run does not need itself."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return most
    return max(1, min(most, (descriptors - DESCRIPTORS_OF_OURS) // 2))


def accepted_at_once() -> int:
    """The backlog of a server: so many connections are accepted in a row before those that are too many are closed."""
    return min(100, max(1, affordable(1 << 20) // 2))


def bear_shortage(loop: asyncio.AbstractEventLoop) -> None:
    """No traceback for each connection that cannot be accepted for want of descriptors: asyncio tries again."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("message", "")).startswith("socket.accept() out of system resource"):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
