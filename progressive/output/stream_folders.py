"""A folder for each stream of a receiver that stays, named by time and photo; the newest of them are kept."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import check_writable, reason, write_result
from progressive.output.folder import OF_A_RUN, OutputFolder
from progressive.output.refinement import Refinement

LATEST = "latest.png"
MARK = ".progressive-stream"
"""A file in every folder made here: without it nothing is removed."""

LONGEST_NAME = 60
"""Letters of a photo's name in that of its folder."""

_NAME = re.compile(r"\d{8}T\d{6}Z(_.+)?")
_PARTIAL = re.compile(r"\.\d+-\d+\.partial")


def safe_name(name: str) -> str:
    """The name of a photo as a part of a folder's: letters and digits of ASCII, `-` and `_`; empty if nothing is left.

    A suffix such as `.jpg` goes, accents go, anything else becomes `_`, so that no name leads anywhere.
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9-]+", "_", plain)[:LONGEST_NAME].strip("_-")


class StreamFolders:
    """The folders of one receiver, in a folder of theirs.

        20300131T180000Z_cliff/    a stream: the time in UTC when it began, and its photo's name if known
        20300131T180010Z/
        latest.png                 the newest picture of the newest stream, always whole

    Nothing is written over. With `keep`, the oldest folders that carry our mark make room for the next one, also those
    of earlier runs; of what is in them only the files of a run are removed.
    """

    def __init__(
        self, path: Path, *, keep: int | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Makes the folder; raises UsageError if that or writing into it is impossible.

        Args:
            path: of the folder.
            keep: streams at most, the one that comes included; None for all.
            now: the time, for names.
        """
        if keep is not None and keep < 1:
            raise UsageError(f"--keep {keep} would remove what has just come: use 1 or more")
        self.path = path
        self._keep, self._now = keep, now
        self._count = self._shown = 0
        self._writing: set[Path] = set()
        self._lock = threading.Lock()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write into the folder {path}: {reason(error)}") from error
        check_writable(path / LATEST)

    def new(self) -> StreamFolder:
        """For a stream that has just begun; made when there is a picture, and named as its photo is called then."""
        self._count += 1
        return StreamFolder(self, self._count, self._now())

    def make(self, began: datetime, name: str) -> Path:
        """Makes a folder that was not there before, and makes room for it; raises OSError."""
        with self._lock:
            self._make_room()
            path = self._made(began, name)
            (path / MARK).touch()
            self._writing.add(path)
            return path

    def rename(self, path: Path, began: datetime, name: str) -> Path:
        """Gives a folder made here its photo's name; the same path if that cannot be done."""
        with self._lock:
            named = self._made(began, name)
            try:
                path.rename(named)  # in place of an empty folder
            except OSError:
                named.rmdir()
                return path
            self._writing.discard(path)
            self._writing.add(named)
            return named

    def _made(self, began: datetime, name: str) -> Path:
        """A new and empty folder."""
        stem = "_".join(filter(None, (f"{began:%Y%m%dT%H%M%SZ}", safe_name(name))))
        for number in count(1):
            path = self.path / (stem if number == 1 else f"{stem}_{number}")
            with suppress(FileExistsError):
                path.mkdir()
                break
        return path

    def show(self, number: int, png: bytes) -> None:
        """The newest picture of stream `number`, unless a later one has shown something; raises RunError."""
        with self._lock:
            if number < self._shown:
                return
            self._shown = number
            write_result(self.path / LATEST, png)

    def remove_if_empty(self) -> None:
        """Takes the folder away again if nothing came."""
        with suppress(OSError):
            self.path.rmdir()

    def finished(self, path: Path) -> None:
        """Nothing more goes into this folder."""
        with self._lock:
            self._writing.discard(path)

    def _make_room(self) -> None:
        if self._keep is None:
            return
        ours = sorted(path for path in self.path.iterdir() if _is_ours(path))
        for path in ours[: max(0, len(ours) - self._keep + 1)]:
            if path not in self._writing:
                _remove(path)


class StreamFolder(OutputFolder):
    """The folder of one stream; what it shows is the latest picture of all, too."""

    def __init__(self, folders: StreamFolders, number: int, began: datetime) -> None:
        """As `StreamFolders.new` makes it."""
        self._folders, self._number, self._began, self._name = folders, number, began, ""
        self._name_made_with = ""
        super().__init__(folders.path, at_once=False)

    def add_refinement(self, picture: Photo, refinement: Refinement) -> Path | None:
        path = super().add_refinement(picture, refinement)
        if path is not None:
            self._folders.show(self._number, self._last_png)
        return path

    def called(self, name: str) -> None:
        self._name = name

    def finish(
        self,
        settings: Mapping[str, Any],
        wire_bytes: int,
        *,
        packets: Mapping[str, int] | None = None,
        about: Mapping[str, str | float] | None = None,
        title: str = "",
        timeline: bool = True,
    ) -> None:
        """As every folder; a name that came after the first picture is now part of the folder's."""
        super().finish(settings, wire_bytes, packets=packets, about=about, title=title, timeline=timeline)
        if self.is_made and self._name != self._name_made_with:
            self.path = self._folders.rename(self.path, self._began, self._name)

    def close(self) -> None:
        self._folders.finished(self.path)

    def _prepare(self) -> None:
        self._name_made_with = self._name
        self.path = self._folders.make(self._began, self._name_made_with)


def _is_ours(path: Path) -> bool:
    return bool(_NAME.fullmatch(path.name)) and not path.is_symlink() and (path / MARK).is_file()


def _remove(folder: Path) -> None:
    """Removes what a run has put there, and the folder unless somebody else has put something there."""
    with suppress(OSError):
        for file in folder.iterdir():
            if file.name == MARK or OF_A_RUN.fullmatch(file.name) or _PARTIAL.fullmatch(file.name):
                file.unlink()
        folder.rmdir()
