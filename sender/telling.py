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
from sender.prepare import PreparedPhoto, airtime_needed
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


BRIEF_S = 3.0
"""A stream that takes less may be over before all points are measured."""


async def _tell(prepared: PreparedPhoto, session: SenderSession, stop: Stop) -> None:
    try:
        with suppress(StoppedError):
            brief = airtime_needed(prepared, session.settings) < BRIEF_S
            await in_background(tell_at_once, prepared, session, stop, brief)
    finally:
        session.last_word.measuring = False


def tell_about(prepared: PreparedPhoto, session: SenderSession) -> None:
    """Tells what the photo is called, when and where it was taken, as far as it is known and fits a packet."""
    settings = session.settings
    room = settings.packet_size - settings.inner_parity - MANIFEST_OVERHEAD if settings.short else settings.payload_size
    about = prepared.about.fitted(min(room - ITEM_OVERHEAD, MAX_ABOUT))
    if not about.is_empty:
        session.tell(Manifest(about=about))


def tell_at_once(prepared: PreparedPhoto, session: SenderSession, stop: Stop = never, brief: bool = False) -> None:
    """Measures, in a hurry once the end waits, which is soon for a `brief` stream, and tells as soon as there is room;
    raises StoppedError if `stop` says so."""
    if prepared.expected is None:
        return
    curve = prepared.expected.curve(stop, lambda: session.last_word.holding, last_first=brief)
    if curve is not None:
        session.tell(Manifest(curve))
