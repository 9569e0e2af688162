"""What the manifests of a stream have told so far."""

from __future__ import annotations

from contextlib import suppress

from progressive.errors import BitstreamError
from progressive.stream import StreamHeader
from progressive.wire.about import About
from progressive.wire.expected_quality import Curve
from progressive.wire.manifest import Manifest, Piece
from progressive.wire.placement import Placement, parse_header_data


class Told:
    """Puts the pieces of a header together.

    Fields:
        quality: the latest curve.
        about: what was said of the photo last.
        header: of the stream, with its placement; None until all pieces of one are there.
        base_blocks: of the stream; 0 while unknown.
    """

    def __init__(self) -> None:
        self.quality: Curve | None = None
        self.about: About | None = None
        self.header: tuple[StreamHeader, Placement | None] | None = None
        self.base_blocks = 0
        self._tells_blocks = False
        self._pieces: dict[int, Piece] = {}

    def take(self, manifest: Manifest) -> bool:
        """Whether it tells the blocks for the first time. A header that no stream can have is waited for anew."""
        self.quality = manifest.quality or self.quality
        self.about = manifest.about or self.about
        is_first = bool(manifest.sources) and not self._tells_blocks
        self._tells_blocks |= is_first
        self.base_blocks = manifest.base_blocks or self.base_blocks
        if manifest.header is not None and self.header is None:
            self._add(manifest.header)
        return is_first

    def _add(self, piece: Piece) -> None:
        if any(other.of != piece.of for other in self._pieces.values()):
            self._pieces.clear()
        self._pieces[piece.number] = piece
        if len(self._pieces) == piece.of:
            data = b"".join(self._pieces[number].data for number in range(piece.of))
            self._pieces.clear()
            with suppress(BitstreamError):
                self.header = parse_header_data(data)
