"""The pictures of the latest streams, on which later ones that hold only what changed are shown."""

from __future__ import annotations

from progressive.codec import Photo
from progressive.wire.placement import CANVASES, Placement


class Canvases:
    """The latest `CANVASES` streams of one receiver that showed anything: their pictures, not their decoders."""

    def __init__(self) -> None:
        self._shown: dict[int, Photo] = {}

    def show(self, stream_id: int, placement: Placement | None, picture: Photo) -> Photo:
        """What a stream shows from now on, [H, W, 3].

        Args:
            stream_id: of the stream.
            placement: where its picture belongs; None if it is the whole frame.
            picture: its own, [h, w, 3].
        """
        if placement is not None:
            picture = placement.paste(self._shown.get(placement.canvas), picture)
        self._shown[stream_id] = picture
        if len(self._shown) > CANVASES:
            del self._shown[next(iter(self._shown))]
        return picture
