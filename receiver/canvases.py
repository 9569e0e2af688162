"""The pictures of the latest streams, on which later ones that hold only what changed are shown."""

from __future__ import annotations

from collections.abc import Callable

from progressive.codec import Photo
from progressive.wire.placement import CANVASES, Placement

Shown = Callable[[], Photo | None]
"""What a stream shows at present, [H, W, 3]; None before its first picture."""


class Canvases:
    """The latest `CANVASES` streams of one receiver."""

    def __init__(self) -> None:
        self._shown: dict[int, Shown] = {}

    def add(self, stream_id: int, shown: Shown) -> None:
        self._shown[stream_id] = shown
        if len(self._shown) > CANVASES:
            del self._shown[next(iter(self._shown))]

    def frame(self, placement: Placement, part: Photo) -> Photo:
        """The whole frame of a stream that holds this part of it."""
        shown = self._shown.get(placement.canvas)
        return placement.paste(shown() if shown else None, part)
