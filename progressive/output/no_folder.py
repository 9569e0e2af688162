"""In place of a folder, for runs that hand over their pictures instead of writing them."""

from __future__ import annotations

from pathlib import Path

from progressive.codec import Photo
from progressive.output.folder import OutputFolder
from progressive.output.refinement import Refinement


class NoFolder(OutputFolder):
    """Takes what a folder takes, and writes nothing; the paths that it returns are of no files."""

    def __init__(self) -> None:
        super().__init__(Path(), at_once=False)
        self._count = 0

    def add_refinement(self, picture: Photo, refinement: Refinement) -> Path | None:
        with self._lock:
            if self._finished:
                return None
            self._count += 1
            return self._refinement_path(self._count - 1)

    def add_look(self, picture: Photo, look: str) -> Path | None:
        return None
