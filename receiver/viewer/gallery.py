"""The receivers that a page shows, filled by one thread and read by another."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from receiver.viewer.history import Cursor
from receiver.viewer.journal import Facts, Journal, Photo


@dataclass(slots=True)
class Exhibit:
    """One receiver.

    Fields:
        name: for people.
        detail: what is special about it, such as its link.
        state: "here"; "away"; "done" if it went with all that it came for.
        actions: what a page may ask for, by name.
        journal: what it went through.
    """

    name: str
    detail: str = ""
    state: str = "here"
    actions: dict[str, Callable[[], None]] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    changes: int = 0


class Gallery:
    """All receivers of a page; whoever asks to be told when something changes is called in the thread that changed it.

    Fields:
        title: of the page.
        run: tells this run from others at the same address, whose pictures are others.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.run = secrets.token_hex(4)
        self._exhibits: list[Exhibit] = []
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def add(self, exhibit: Exhibit) -> int:
        """Shows another receiver; returns its number."""
        with self._lock:
            self._exhibits.append(exhibit)
            number = len(self._exhibits) - 1
        self._tell()
        return number

    def observe(self, receiver: int, event: object) -> None:
        """Takes an observation of a receiver."""
        with self._lock:
            of_interest = self._exhibits[receiver].journal.observe(event)
        if of_interest:
            self._tell()

    def begin_anew(self, receiver: int) -> None:
        """What a receiver tells from now on is of another run of it."""
        with self._lock:
            self._exhibits[receiver].journal.begin_anew()

    def change(
        self,
        receiver: int,
        *,
        state: str | None = None,
        detail: str | None = None,
        actions: dict[str, Callable[[], None]] | None = None,
    ) -> None:
        """Sets what is said of a receiver; what is None stays."""
        with self._lock:
            exhibit = self._exhibits[receiver]
            exhibit.state = exhibit.state if state is None else state
            exhibit.detail = exhibit.detail if detail is None else detail
            exhibit.changes += 1
            if actions is not None:
                exhibit.actions = actions
        self._tell()

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def picture(self, receiver: int, photo: int, number: int, look: str = "") -> Path | None:
        """The file of a picture, in another look if one is named; None if there is none."""
        with self._lock:
            if not 0 <= receiver < len(self._exhibits):
                return None
            found = self._exhibits[receiver].journal.photos.get(photo)
            if found is None:
                return None
            return found.paths_of_looks.get((number, look)) if look else found.paths.get(number)

    def action(self, receiver: int, name: str) -> Callable[[], None] | None:
        """What a page may ask of a receiver under this name."""
        with self._lock:
            return self._exhibits[receiver].actions.get(name) if 0 <= receiver < len(self._exhibits) else None

    def news(self, reader: Reader) -> list[Facts]:
        """What is new to this reader."""
        with self._lock:
            return reader.read(self._exhibits)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


@dataclass(slots=True)
class _Seen:
    """What a page was told of one photo."""

    changes: int = 0
    facts: int = 0
    start: int = 0
    fates: str = ""
    samples: Cursor = field(default_factory=Cursor)
    pictures: Cursor = field(default_factory=Cursor)
    looks: Cursor = field(default_factory=Cursor)


class Reader:
    """What one page was told so far. However slow it is, only what it lacks at the time of asking is told."""

    def __init__(self) -> None:
        self._receivers: dict[int, int] = {}
        self._photos: dict[tuple[int, int], _Seen] = {}

    def read(self, exhibits: list[Exhibit]) -> list[Facts]:
        """Messages for the page, which bring it up to date."""
        messages: list[Facts] = []
        photos: dict[tuple[int, int], _Seen] = {}
        for number, exhibit in enumerate(exhibits):
            if self._receivers.get(number) != exhibit.changes:
                self._receivers[number] = exhibit.changes
                messages.append(_receiver(number, exhibit))
            for photo in exhibit.journal.photos.values():
                key = number, photo.number
                seen = photos[key] = self._photos.get(key) or _Seen()
                if seen.changes != photo.changes:
                    messages.append({"type": "photo", "receiver": number} | _photo(photo, seen))
        self._photos = photos  # without those that are no longer kept
        return messages


def _receiver(number: int, exhibit: Exhibit) -> Facts:
    return {
        "type": "receiver",
        "receiver": number,
        "name": exhibit.name,
        "detail": exhibit.detail,
        "state": exhibit.state,
        "actions": list(exhibit.actions),
    }


def _photo(photo: Photo, seen: _Seen) -> Facts:
    """What is new of a photo; what grows is told from where it changed."""
    packets = photo.packets
    same = _agreement(seen.fates, packets.fates) if seen.start == packets.start else 0
    seen.samples, samples, all_samples = photo.samples.since(seen.samples)
    seen.pictures, pictures, all_pictures = photo.pictures.since(seen.pictures)
    seen.looks, looks, all_looks = photo.looks.since(seen.looks)
    message: Facts = {
        "photo": photo.number,
        "state": photo.state,
        "reason": photo.reason,
        "figures": dict(photo.figures),
        "blocks": [
            [number, block.k, block.sources.decode(), len(block.parity), block.whole]
            for number, block in sorted(packets.blocks.items())
        ],
        "fates": {"start": packets.start, "from": same, "marks": packets.fates[same:]},
        "samples": {"all": all_samples, "items": samples},
        "pictures": {"all": all_pictures, "items": pictures},
        "looks": {"all": all_looks, "items": looks},
    }
    if len(photo.facts) != seen.facts:
        message["facts"] = dict(photo.facts)
    seen.changes, seen.facts = photo.changes, len(photo.facts)
    seen.start, seen.fates = packets.start, packets.fates
    return message


def _agreement(before: str, after: str) -> int:
    """How many characters from the start are the same."""
    if after.startswith(before):
        return len(before)
    differ = (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new)
    return next(differ, min(len(before), len(after)))
