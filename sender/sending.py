"""A photo, or a sequence of them, from a program to receivers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from progressive.photos.arrays import as_photo
from progressive.registry import DEFAULT_CODEC
from progressive.runtime.background import in_background
from progressive.shell.display import QuietDisplay
from progressive.transport.access import Access
from progressive.units import parse_percent, parse_time
from sender.addresses import losses_to_expect, run_for
from sender.events import PacketSent, StreamFinished
from sender.handed import HandedFrames, HandedPhoto, frames_of
from sender.options import SenderOptions
from sender.rates import parse_rate
from sender.settings import SenderSettings


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent.

    Fields:
        streams: photos or frames, those to several receivers counted for each.
        complete: how many of them came whole, as their receivers said.
        wire_bytes: of all datagrams.
    """

    streams: int
    complete: int
    wire_bytes: int


async def send(
    photo: object,
    url: str | Sequence[str],
    *,
    bandwidth: str = "50kbps",
    deadline: str = "10s",
    codec: str = DEFAULT_CODEC,
    context: str | None = None,
    protection: str = "auto",
    packet_size: int = 1100,
    full_size: bool = False,
    with_metadata: bool = False,
    one_way: bool = False,
    serve: str | None = None,
    serve_for: str | None = None,
    newest: bool = False,
    name: str = "photo",
    inner_parity: int = 0,
    key_file: Path | str | None = None,
    password_file: Path | str | None = None,
    ca_file: Path | str | None = None,
    token_file: Path | str | None = None,
    ice_servers: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> Sent:
    """Sends a photo, or a sequence of them, to receivers.

    Over udp:// it returns when all was sent. Over webrtc:// and mqtt:// it serves for `serve_for`, or until it is
    cancelled; receivers are told then. Cancelled, it leaves nothing open. Any number may run in an event loop.

    Args:
        photo: an array or tensor, uint8 [H, W, 3] or what `progressive.photos.arrays.as_photo` takes for one, or a
            picture of Pillow; or an iterable or async iterable of such, which is sent as a sequence: each is
            asked for once the one before has been sent, over webrtc:// to the fastest receiver, and over udp:// what
            has changed of it is sent. What is no async iterable is asked in another thread.
        url: of a receiver, or several over udp://; or where to serve, as `--to` of the sender.
        bandwidth, deadline, context, protection, packet_size, full_size, one_way, serve, serve_for: as on the command
            line.
        newest: of a sequence, take all photos as they come and send the newest, so that none is older than it must be.
        name: of the photo, for people.
        with_metadata: receivers are told this name.
        inner_parity: bytes of parity inside each datagram; receivers must be told the same.
        key_file, password_file, ca_file, token_file, ice_servers: how receivers are reached, as on the command line.
        tell: takes lines that a person should read.

    Raises UsageError for what is wrong before anything is sent; RunError if nobody answered or a receiver fell silent.
    """
    to = (url,) if isinstance(url, str) else tuple(url)
    bandwidth_bps, follow = parse_rate(bandwidth)
    settings = SenderSettings(
        bandwidth_bps,
        packet_size=packet_size,
        deadline_s=parse_time(deadline),
        protection=protection,
        feedback=not one_way,
        inner_parity=inner_parity,
        sealed=key_file is not None,
        expect=losses_to_expect(to),
        serve=None if serve is None else parse_percent(serve),
        follow=follow,
    )
    access = Access(
        key_file=_path(key_file),
        password_file=_path(password_file),
        ca_file=_path(ca_file),
        token_file=_path(token_file),
        ice_server=tuple(ice_servers),
    )
    frames = frames_of(photo)
    options = SenderOptions(
        HandedPhoto(name, await in_background(as_photo, photo)) if frames is None else HandedFrames(frames, newest),
        codec,
        settings,
        context=context,
        full_size=full_size,
        with_metadata=with_metadata,
        to=to,
        access=access,
        serve_for_s=None if serve_for is None else parse_time(serve_for),
    )
    counts = _Counts(tell)
    await run_for(options)(options, counts)
    return Sent(counts.streams, counts.complete, counts.wire_bytes)


class _Counts(QuietDisplay):
    """Counts what leaves."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self.streams = self.complete = self.wire_bytes = 0
        self._tell = tell

    def note(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)

    def observe(self, event: object) -> None:
        match event:
            case PacketSent():
                self.wire_bytes += event.size
            case StreamFinished():
                self.streams += 1
                self.complete += event.reason == "complete"


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
