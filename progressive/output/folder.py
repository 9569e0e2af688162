"""The output folder of a run: refinement pictures as they come, then the final one, a timeline and a report."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from progressive.codec import Photo
from progressive.errors import RunError, UsageError
from progressive.files import check_writable, reason, write_result
from progressive.output.refinement import Refinement
from progressive.photos import downscale, png_bytes

OF_A_RUN = re.compile(r"refinement_[0-9]+(_[a-z]+)?\.png|final\.png|timeline\.png|report\.json")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_THUMBNAIL_PIXELS = 400 * 400

MOST_THUMBNAILS = 32
"""Kept in memory for the timeline, half a megabyte each: several times as many as it shows."""


class OutputFolder:
    """A folder made anew for a run: what an earlier run left in it is removed, other files stay.

        add_refinement, again and again  ->  refinement_00.png, refinement_01.png, ...
        add_look, after any of them      ->  refinement_01_natural.png
        finish                           ->  final.png, timeline.png, report.json

    Every file is written whole or not at all; a full disk raises RunError, but first the oldest refinements make room
    for the results. The newest picture is never deleted. Only a few thumbnails and the last picture are kept in memory.
    """

    def __init__(self, path: Path | str, *, at_once: bool = True) -> None:
        """Makes the folder; raises UsageError if that or writing into it is impossible.

        `at_once` false makes it when there is a picture to be put into it, and raises RunError then.
        """
        self.path = Path(path)
        self._made = self._finished = False
        self._refusal = UsageError if at_once else RunError
        self._refinements: list[Refinement] = []
        self._shown: list[tuple[Refinement, Photo]] = []
        self._other_looks: list[Path] = []
        self._last_png = b""
        self._lock = threading.Lock()
        if at_once:
            self._make()

    @property
    def is_made(self) -> bool:
        return self._made

    def _make(self) -> None:
        if self._made:
            return
        try:
            self._prepare()
        except OSError as error:
            raise self._refusal(f"cannot write into the folder {self.path}: {reason(error)}") from error
        except UsageError as error:
            raise self._refusal(str(error)) from error
        self._made = True

    def _prepare(self) -> None:
        """Makes the folder ready for a new run; raises OSError or UsageError."""
        self.path.mkdir(parents=True, exist_ok=True)
        check_writable(self.path / "report.json")
        for file in self.path.iterdir():
            if OF_A_RUN.fullmatch(file.name):
                file.unlink()

    def called(self, name: str) -> None:
        """The photo is called so, by what its sender says."""

    def close(self) -> None:
        """Nobody writes into the folder any more."""

    def remove_if_empty(self) -> None:
        """Takes the folder away again after a run that had nothing to write."""
        with suppress(OSError):
            self.path.rmdir()

    def add_refinement(self, picture: Photo, refinement: Refinement) -> Path | None:
        """Writes the picture, [H, W, 3], and returns where; None, and nothing is written, once `finish` was called,
        perhaps by another thread."""
        png, thumbnail = png_bytes(picture), downscale(picture, max_pixels=_THUMBNAIL_PIXELS)
        with self._lock:
            if self._finished:
                return None
            self._make()
            path = self._refinement_path(len(self._refinements))
            self._last_png = png
            write_result(path, png)
            self._refinements.append(refinement)
            self._shown.append((refinement, thumbnail))
            if len(self._shown) > MOST_THUMBNAILS:
                recent = MOST_THUMBNAILS // 4
                self._shown = self._shown[:-recent:2] + self._shown[-recent:]
            return path

    def add_look(self, picture: Photo, look: str) -> Path | None:
        """Writes the latest refinement in another look, as `add_refinement` does."""
        png = png_bytes(picture)
        with self._lock:
            if self._finished:
                return None
            latest = self._refinement_path(len(self._refinements) - 1)
            path = latest.with_stem(f"{latest.stem}_{look}")
            write_result(path, png)
            self._other_looks.append(path)
            return path

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
        """Closes the run; without any refinement there is only a report, if the folder was made at once.

        Args:
            settings: every setting of the run as JSON values, echoed in the report.
            wire_bytes: all bytes that the sender put on the wire.
            packets: how many were received, lost, recovered, if that is known.
            about: what the sender said of the photo.
            title: what the timeline is headed with.
            timeline: whether there is time to draw one.
        """
        with self._lock:
            self._finished = True
        if not self._made:
            return
        report = {
            "settings": dict(settings),
            "wire_bytes": wire_bytes,
            **({} if packets is None else {"packets": dict(packets)}),
            **({"about": dict(about)} if about else {}),
            "events": [json_values(refinement) for refinement in self._refinements],
        }
        text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
        if self._last_png:
            self._write_final()
        self._write("report.json", f"{text}\n".encode(errors="backslashreplace"))  # a name that is no UTF-8 stays JSON
        if self._shown and timeline:
            from progressive.output.timeline import draw_timeline

            self._write("timeline.png", draw_timeline(self._shown, title=title))

    def _write_final(self) -> None:
        """Where there is no room for a copy, the newest refinement gets a second name."""
        try:
            self._write("final.png", self._last_png)
        except RunError:
            if not self._refinements:
                raise
            try:
                os.link(self._refinement_path(len(self._refinements) - 1), self.path / "final.png")
            except OSError:
                raise RunError(f"no room for {self.path / 'final.png'}: the newest picture is beside it") from None

    def _write(self, name: str, data: bytes) -> None:
        """Writes a result of the run; on a full disk all refinements but the newest make room for it."""
        earlier = (self._refinement_path(number) for number in range(len(self._refinements) - 1))
        dispensable = chain(self._other_looks, earlier)
        while True:
            try:
                return write_result(self.path / name, data)
            except RunError as error:
                if getattr(error.__cause__, "errno", None) not in _NO_ROOM:
                    raise
                oldest = next((path for path in dispensable if path.exists()), None)
                if oldest is None:
                    raise
                oldest.unlink()

    def _refinement_path(self, number: int) -> Path:
        return self.path / f"refinement_{number:02d}.png"


def json_values(refinement: Refinement) -> dict[str, int | float | None]:
    """The refinement as an event of the report: what is not finite, which JSON has no word for, becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(refinement).items()
    }
