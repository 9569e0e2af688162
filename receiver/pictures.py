"""Photos as they come, for a program: pictures instead of files."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from progressive.codec import FAITHFUL, Photo
from progressive.looks import wanted_looks
from progressive.shell.display import QuietDisplay
from progressive.transport.access import Access
from progressive.transport.schemes import usual_silence_s
from progressive.units import parse_time
from progressive.wire.about import About
from receiver.reception import PhotoDescribed, PhotoFinished, PictureShown
from receiver.run import ReceiverOptions, receive_photos
from receiver.settings import ReceiverSettings

MOST_WAITING = 8
"""Pictures that wait for a program that is slower than they come; beyond that the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class ReceivedPicture:
    """A picture of a photo, as far as it has come.

    Fields:
        photo: number of the photo, from 1.
        about: what the sender says of it, such as its name; empty if it says nothing.
        picture: uint8 [H, W, 3].
        bytes: of all datagrams that came of it until then.
        layer: the highest that it shows; 0 is the base.
        time_s: since its first datagram, in seconds.
        final: no better one of this photo will come.
    """

    photo: int
    about: About
    picture: Photo
    bytes: int
    layer: int
    time_s: float
    final: bool


async def receive(
    url: str,
    *,
    serve: bool = False,
    look: str = FAITHFUL,
    device: str = "auto",
    wait: str | None = None,
    silence: str | None = None,
    inner_parity: int = 0,
    key_file: Path | str | None = None,
    password_file: Path | str | None = None,
    ca_file: Path | str | None = None,
    token_file: Path | str | None = None,
    ice_servers: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> AsyncIterator[ReceivedPicture]:
    """Receives photos, each as pictures that get better; the last picture of a photo comes once more as the final one.

    It ends with the sender's last photo, or never with `serve`. Who is slow to ask misses pictures that better ones of
    the same photo have replaced. Leave the loop, or cancel it, and nothing stays open. Any number may run in an event
    loop.

    Args:
        url: where to listen or whom to join, as `--from` of the receiver.
        serve: sender after sender.
        look: of the pictures, where the codec has it.
        device: "cpu", "cuda", or "auto" for CUDA where there is one.
        wait: how long for a sender, such as "10s"; for ever if left out.
        silence: how long a sender may pause in a stream before it counts as gone.
        inner_parity: bytes of parity inside each datagram, as the sender was told.
        key_file, password_file, ca_file, token_file, ice_servers: how to reach the sender, as on the command line.
        tell: takes lines that a person should read, such as where it listens.

    Raises UsageError for what is wrong before anything can come; RunError, after what came was given, if nothing did,
    the sender fell silent, or the base of a photo is missing, which is only told with `serve`.
    """
    access = Access(
        key_file=_path(key_file),
        password_file=_path(password_file),
        ca_file=_path(ca_file),
        token_file=_path(token_file),
        ice_server=tuple(ice_servers),
    )
    settings = ReceiverSettings(
        silence_s=usual_silence_s(url, access, stays=serve) if silence is None else parse_time(silence),
        inner_parity=inner_parity,
        receiver_id=secrets.randbits(32),
        stays=serve,
    )
    options = ReceiverOptions(
        url,
        settings,
        output=None,
        device=device,
        timeout_s=None if wait is None else parse_time(wait),
        access=access,
        looks=wanted_looks(look, all_of_them=False),
    )
    pictures = _Pictures(tell)
    receiving = asyncio.create_task(receive_photos(options, pictures))
    receiving.add_done_callback(lambda _task: pictures.end())
    try:
        while (picture := await pictures.next()) is not None:
            yield picture
        await receiving
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


class _Pictures(QuietDisplay):
    """Pictures on their way from a run to whoever asks for them."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._waiting: deque[ReceivedPicture] = deque()
        self._latest: dict[str, ReceivedPicture] = {}
        self._about: dict[str, About] = {}
        self._photos = 0
        self._changed = asyncio.Event()
        self._over = False

    def note(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)

    def observe(self, event: object) -> None:
        match event:
            case PhotoDescribed():
                self._about[event.name] = event.about
            case PictureShown():
                self._put(event.name, self._received(event))
            case PhotoFinished() if event.name in self._latest:
                self._put(event.name, replace(self._latest[event.name], final=True))
                del self._latest[event.name]
                self._about.pop(event.name, None)

    def end(self) -> None:
        self._over = True
        self._changed.set()

    async def next(self) -> ReceivedPicture | None:
        """The next picture; None after the last."""
        while not self._waiting:
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()

    def _received(self, shown: PictureShown) -> ReceivedPicture:
        before, found = self._latest.get(shown.name), shown.refinement
        self._photos += before is None
        number = self._photos if before is None else before.photo
        assert shown.picture is not None
        about = self._about.get(shown.name, About())
        return ReceivedPicture(number, about, shown.picture, found.bytes, found.layer, found.time_s, final=False)

    def _put(self, name: str, new: ReceivedPicture) -> None:
        self._latest[name] = new
        self._waiting = deque((each for each in self._waiting if each.photo != new.photo), MOST_WAITING)
        self._waiting.append(new)
        self._changed.set()


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
