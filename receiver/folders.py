"""Where the photos of a run go: the first into its folder and further ones into folders in it, or each into its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from progressive.output.folder import OutputFolder
from progressive.output.no_folder import NoFolder
from progressive.output.stream_folders import StreamFolders


class Folders(Protocol):
    """Gives every stream a folder."""

    def new(self) -> OutputFolder:
        """Of the stream that has just begun."""
        ...

    def taken_back(self) -> None:
        """Nothing of the stream that began last can be shown: the next one has its place."""
        ...

    def remove_if_empty(self) -> None:
        """Takes the folder away again after a run that had nothing to write."""
        ...


class FoldersOfRun:
    """One sender's photos, in place of those of the run before."""

    def __init__(self, path: Path) -> None:
        """Makes the folder; raises UsageError if that or writing into it is impossible."""
        self._first = OutputFolder(path)
        self._count = 0

    def new(self) -> OutputFolder:
        self._count += 1
        if self._count == 1:
            return self._first
        return OutputFolder(self._first.path / f"photo_{self._count:02d}", at_once=False)

    def taken_back(self) -> None:
        self._count -= 1

    def remove_if_empty(self) -> None:
        self._first.remove_if_empty()


class NoFolders:
    """Of a run that hands over its pictures."""

    def new(self) -> OutputFolder:
        return NoFolder()

    def taken_back(self) -> None:
        """There was none."""

    def remove_if_empty(self) -> None:
        """There is none."""


class FoldersOfStreams:
    """The photos of all who send, each in a folder of its own; see `StreamFolders`."""

    def __init__(self, path: Path, keep: int | None) -> None:
        """Raises UsageError as `StreamFolders` does."""
        self._folders = StreamFolders(path, keep=keep)

    def new(self) -> OutputFolder:
        return self._folders.new()

    def taken_back(self) -> None:
        """A folder is made when there is something to put into it."""

    def remove_if_empty(self) -> None:
        self._folders.remove_if_empty()


def folders_for(output: Path | None, *, stays: bool, keep: int | None) -> Folders:
    """The folders of a run, in `output` if that is given; raises UsageError if writing there is impossible."""
    if output is None:
        return NoFolders()
    return FoldersOfStreams(output, keep) if stays else FoldersOfRun(output)
