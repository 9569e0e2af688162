"""What one receiver goes through, as its page shows it: photo after photo, within bounds of memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from progressive.errors import BitstreamError, ProgressiveError
from progressive.models import codec_of, name_of
from progressive.output.folder import json_values
from progressive.stream import StreamHeader
from receiver.events import PacketReceived, PacketRecovered, StreamEnded, StreamStarted
from receiver.reception import LookShown, PhotoDescribed, PhotoFinished, PhotoStarted, PictureJudged, PictureShown
from receiver.viewer.history import History
from receiver.viewer.packet_map import PacketMap

MOST_PHOTOS = 24
MOST_PICTURES = 400
"""Of one photo; they lie in files, only what is said of them is in memory."""

MOST_SAMPLES = 600
SAMPLE_INTERVAL_S = 0.1
"""Of what has arrived over time: a point for every pixel or two of a graph."""

_FIGURES = ("received", "lost", "recovered", "late", "bytes", "time_s")

Facts = dict[str, Any]
"""Values for JSON."""


@dataclass(slots=True)
class Photo:
    """One photo, or one frame, from its first packet on.

    Fields:
        number: 1.. within the receiver.
        stream_id: of its stream.
        facts: its name, size, codec, importance, looks, what its sender says of it; empty until the header came.
        state: "receiving", "ended" when no more packets come, "done" when its last picture is shown.
        reason: why it ended.
        packets: their fates.
        figures: packets received, lost, recovered, late, bytes, seconds since the first packet.
        samples: [seconds, bytes, received, expected] over time.
        pictures: what is said of each.
        paths: the files of the pictures, by number.
        looks: in which other looks which pictures are there too: number and look of each.
        paths_of_looks: their files.
    """

    number: int
    stream_id: int
    facts: Facts = field(default_factory=dict)
    state: str = "receiving"
    reason: str = ""
    packets: PacketMap = field(default_factory=PacketMap)
    figures: Facts = field(default_factory=lambda: dict.fromkeys(_FIGURES, 0))
    samples: History[list[float]] = field(default_factory=lambda: History(MOST_SAMPLES))
    pictures: History[Facts] = field(default_factory=lambda: History(MOST_PICTURES))
    paths: dict[int, Path] = field(default_factory=dict)
    looks: History[tuple[int, str]] = field(default_factory=lambda: History(MOST_PICTURES))
    paths_of_looks: dict[tuple[int, str], Path] = field(default_factory=dict)
    changes: int = 0
    first_s: float | None = None
    sampled_s: float = 0.0


class Journal:
    """Follows a receiver by what it is told; not safe to be used by several threads at once.

    Fields:
        photos: the latest ones, by number.
    """

    def __init__(self) -> None:
        self.photos: dict[int, Photo] = {}
        self._count = 0
        self._current: Photo | None = None
        self._named: dict[str, Photo] = {}

    def observe(self, event: object) -> bool:
        """Takes an observation; False if it is of no interest here."""
        match event:
            case PacketReceived(kind="control", stream_id=stream) if not self._receives(stream):
                return False  # the word that nothing more follows is no photo
            case PacketReceived():
                photo = self._of_stream(event.stream_id)
                _count(photo, event)
            case PacketRecovered():
                photo = self._of_stream(event.stream_id)
                photo.packets.restore(event)
                photo.figures["recovered"] += 1
            case StreamStarted():
                photo = self._of_stream(event.stream_id)
                photo.facts |= _facts_of(event)
            case PhotoStarted() if self._current is not None:
                photo = self._current
                photo.facts |= {"name": event.name, "looks": list(event.looks)}
                self._named[event.name] = photo
            case PhotoDescribed() | PictureShown() | PictureJudged() | LookShown() | PhotoFinished() if (
                event.name in self._named
            ):
                photo = self._named[event.name]
                _note(photo, event)
                if photo.state == "done" and photo is self._current:
                    self._current = None
            case StreamEnded(stream_id=stream) if self._current is not None and self._receives(stream):
                photo = self._current
                comes = photo in self._named.values()  # a picture; none of what cannot be decoded here
                photo.state, photo.reason, self._current = "ended" if comes else "done", event.reason, None
            case _:
                return False
        photo.changes += 1
        return True

    def begin_anew(self) -> None:
        """Forgets which photo is being received: what comes now is another, even if of the same stream."""
        if self._current is not None:
            self._current.state, self._current.reason = "done", "left"
            self._current.changes += 1
            self._current = None

    def _receives(self, stream_id: int) -> bool:
        return self._current is not None and self._current.stream_id == stream_id

    def _of_stream(self, stream_id: int) -> Photo:
        if self._current is None or not self._receives(stream_id):
            self._count += 1
            self._current = self.photos[self._count] = Photo(self._count, stream_id)
            if len(self.photos) > MOST_PHOTOS:
                self._forget(next(iter(self.photos)))
        return self._current

    def _forget(self, number: int) -> None:
        gone = self.photos.pop(number)
        self._named = {name: photo for name, photo in self._named.items() if photo is not gone}


def _count(photo: Photo, packet: PacketReceived) -> None:
    photo.packets.add(packet)
    if photo.first_s is None:
        photo.first_s = packet.time_s
    time_s = packet.time_s - photo.first_s
    figures = photo.figures
    figures["received"], figures["lost"] = packet.received, packet.expected - packet.received
    figures["late"] = photo.packets.late
    figures["bytes"] += packet.size
    figures["time_s"] = time_s
    if time_s >= photo.sampled_s or not len(photo.samples):
        photo.sampled_s = time_s + SAMPLE_INTERVAL_S
        photo.samples.append([round(time_s, 3), figures["bytes"], packet.received, packet.expected])


def _note(photo: Photo, event: PhotoDescribed | PictureShown | PictureJudged | LookShown | PhotoFinished) -> None:
    """What is told of a photo by its name."""
    match event:
        case PhotoDescribed():
            words = f"{event.name}: {event.about.in_words()}"
            photo.facts |= {"name": words, "about": event.about.in_values()}
        case PictureShown():
            _add_picture(photo, event)
        case PictureJudged():
            photo.pictures.amend(lambda latest: latest | {"expected_psnr": event.refinement.expected_psnr})
        case LookShown():
            latest = len(photo.paths) - 1
            photo.looks.append((latest, event.look))
            photo.paths_of_looks[latest, event.look] = event.path
        case PhotoFinished():
            figures = {"received": event.received, "lost": event.lost, "recovered": event.recovered}
            photo.figures |= figures | {"bytes": event.bytes}
            photo.state = "done"
            if event.folder is not None:
                _move(photo, event.folder)


def _add_picture(photo: Photo, shown: PictureShown) -> None:
    number = len(photo.paths)
    photo.paths[number] = shown.path
    status = shown.status
    photo.pictures.append(
        json_values(shown.refinement)
        | {
            "number": number,
            "grey": status.grey,
            "coarse": status.coarse,
            "segments": status.decoded,
            "base": status.base_complete,
            "exact": shown.refinement.psnr is not None and not isfinite(shown.refinement.psnr),
            "gaps": status.gaps_in_words(),
        }
    )


def _move(photo: Photo, folder: Path) -> None:
    """The files of a photo are in this folder now."""
    photo.paths = {number: folder / path.name for number, path in photo.paths.items()}
    photo.paths_of_looks = {key: folder / path.name for key, path in photo.paths_of_looks.items()}


def _facts_of(started: StreamStarted) -> Facts:
    header, placement = started.header, started.placement
    size = (header.width, header.height) if placement is None else (placement.width, placement.height)
    try:
        codec = name_of(header)
    except BitstreamError:
        codec = f"codec {header.codec}"
    return {
        "width": size[0],
        "height": size[1],
        "segments": header.segment_count,
        "codec": codec,
        "importance": None if placement else _importance(header),
    }


def _importance(header: StreamHeader) -> Facts | None:
    """Where meaning is, as the header of a stream says it: rows, columns, levels of 0..7 row by row."""
    try:
        levels = codec_of(header).sent_importance(header)
    except ProgressiveError:
        return None
    if levels is None:
        return None
    rows, columns = levels.shape
    return {"rows": rows, "columns": columns, "levels": levels.ravel().tolist()}
