"""Tells the receivers of a running session how good their pictures are expected to be, once that is measured."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from progressive.runtime.background import in_background
from progressive.runtime.stopping import Stop, StoppedError, never
from progressive.wire.about import MAX_ABOUT
from progressive.wire.manifest import ITEM_OVERHEAD, Manifest
from progressive.wire.short import MANIFEST_OVERHEAD
from sender.prepare import PreparedPhoto
from sender.session import SenderSession


@asynccontextmanager
async def telling(prepared: PreparedPhoto, session: SenderSession) -> AsyncIterator[None]:
    """While a session is driven: sending begins at once, and measuring goes on beside it; the end waits for it a little
    while."""
    tell_about(prepared, session)
    over = threading.Event()
    session.last_word.measuring = prepared.expected is not None
    task = asyncio.create_task(_tell(prepared, session, over.is_set))
    try:
        yield
    finally:
        over.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _tell(prepared: PreparedPhoto, session: SenderSession, stop: Stop) -> None:
    try:
        with suppress(StoppedError):
            await in_background(tell_at_once, prepared, session, stop)
    finally:
        session.last_word.measuring = False


def tell_about(prepared: PreparedPhoto, session: SenderSession) -> None:
    """Tells what the photo is called, when and where it was taken, as far as it is known and fits a packet."""
    settings = session.settings
    room = settings.packet_size - settings.inner_parity - MANIFEST_OVERHEAD if settings.short else settings.payload_size
    about = prepared.about.fitted(min(room - ITEM_OVERHEAD, MAX_ABOUT))
    if not about.is_empty:
        session.tell(Manifest(about=about))


def tell_at_once(prepared: PreparedPhoto, session: SenderSession, stop: Stop = never) -> None:
    """Measures, in a hurry once the end waits, and tells as soon as there is room; raises StoppedError if `stop` says
    so."""
    word = session.last_word
    if prepared.expected is not None and (curve := prepared.expected.curve(stop, lambda: word.holding)) is not None:
        session.tell(Manifest(curve))
