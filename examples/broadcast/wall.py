"""The receivers of the broadcast and their tiles on the page: they join, leave and return."""

from __future__ import annotations

import threading
from collections.abc import Callable

from examples.broadcast.receiving import Place, ReceiverProcess
from receiver.events import StreamEnded
from receiver.viewer.gallery import Exhibit, Gallery


class Seat:
    """One receiver's place, taken or not."""

    def __init__(self, gallery: Gallery, place: Place, link: str, say: Callable[[str], None]) -> None:
        """
        Args:
            gallery: of the page.
            place: where the receiver is when it is there.
            link: that it is behind, in words.
            say: takes lines for people.
        """
        self._gallery, self._place, self._say = gallery, place, say
        self._name = f"Receiver {place.number}"
        self._process: ReceiverProcess | None = None
        self._whole = False
        self._lock = threading.Lock()
        self._tile = gallery.add(Exhibit(self._name, link, "away", {"join": self.join}))

    def join(self) -> None:
        """Starts the receiver unless it is there."""
        with self._lock:
            if self._process is None:
                self._whole = False
                self._gallery.begin_anew(self._tile)
                self._gallery.change(self._tile, state="here", actions={"leave": self.leave})
                self._process = ReceiverProcess(self._place, self._told, self._gone)
                self._say(f"{self._name} joins")

    def join_later(self, seconds: float) -> None:
        """Joins when so much time has passed."""
        timer = threading.Timer(seconds, self.join)
        timer.daemon = True  # a broadcast that is over waits for nobody
        timer.start()

    def leave(self) -> None:
        """Stops the receiver if it is there; what it has is kept."""
        with self._lock:
            process = self._process
        if process is not None:
            self._say(f"{self._name} leaves")
            process.leave()

    def _told(self, told: object) -> None:
        if isinstance(told, str):
            self._say(f"{self._name}: {told}")
            return
        if isinstance(told, StreamEnded):
            self._whole = told.reason == "complete"
        self._gallery.observe(self._tile, told)

    def _gone(self) -> None:
        with self._lock:
            self._process = None
            state = "done" if self._whole else "away"
            self._gallery.change(self._tile, state=state, actions={"join": self.join})
