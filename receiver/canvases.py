"""The pictures of the latest streams, on which later ones that hold only what changed are shown."""

from __future__ import annotations

from progressive.codec import Photo
from progressive.stream import MAX_PIXELS
from progressive.wire.placement import CANVASES, Placement

MOST_PIXELS = MAX_PIXELS
"""Of all pictures that are kept together: as many as one may have."""

MOST_GREY_PIXELS = 4_000_000
"""Of a frame that is grey but for the part that came: what a few bytes claim is not made when it is larger."""


class Canvases:
    """The latest `CANVASES` streams of one receiver that showed anything: their pictures, not their decoders."""

    def __init__(self) -> None:
        self._shown: dict[int, Photo] = {}

    def show(self, stream_id: int, placement: Placement | None, picture: Photo) -> Photo:
        """What a stream shows from now on, [H, W, 3]: the whole frame, or the part alone of one that is large and of
        which nothing else is there.

        Args:
            stream_id: of the stream.
            placement: where its picture belongs; None if it is the whole frame.
            picture: its own, [h, w, 3].
        """
        if placement is not None:
            canvas, size = self._shown.get(placement.canvas), (placement.height, placement.width)
            known = canvas is not None and canvas.shape[:2] == size
            if known or placement.width * placement.height <= MOST_GREY_PIXELS:
                picture = placement.paste(canvas, picture)
        self._shown[stream_id] = picture
        while len(self._shown) > 1 and (len(self._shown) > CANVASES or self._pixels() > MOST_PIXELS):
            del self._shown[next(iter(self._shown))]
        return picture

    def _pixels(self) -> int:
        return sum(picture.shape[0] * picture.shape[1] for picture in self._shown.values())
