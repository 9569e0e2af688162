"""Tells the receivers of a running session how good their pictures are expected to be, once that is measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from progressive.runtime.background import in_background
from progressive.wire.manifest import Manifest
from sender.prepare import PreparedPhoto
from sender.session import SenderSession


@asynccontextmanager
async def telling(prepared: PreparedPhoto, session: SenderSession) -> AsyncIterator[None]:
    """While a session is driven: sending begins at once, and measuring goes on beside it."""
    task = asyncio.create_task(_tell(prepared, session))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _tell(prepared: PreparedPhoto, session: SenderSession) -> None:
    await in_background(tell_at_once, prepared, session)


def tell_at_once(prepared: PreparedPhoto, session: SenderSession) -> None:
    """Measures, and tells as soon as there is room."""
    if prepared.expected is not None and (curve := prepared.expected.curve()) is not None:
        session.tell(Manifest(curve))
