"""`--with-metadata`: a photo's name, time and place travel only when asked to, and reach the receiver's folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from streams import make_stream

import progressive.__main__
import sender.__main__
from progressive.container import read_stream
from progressive.photos import sample_photo, write_png
from progressive.shell.display import Display
from progressive.wire.about import About
from progressive.wire.manifest import Manifest
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.sealing import SealedEnvelope
from receiver.events import AboutTold, StreamStarted
from receiver.run import ReceiverOptions, receive_photos
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.options import SenderOptions
from sender.remote import stream_photos
from sender.session import SenderSession
from sender.settings import SenderSettings

pytestmark = pytest.mark.usefixtures("thumbnails")

ABOUT = About(name="cliff.jpg", latitude=47.26, longitude=11.39)


def datagrams(session: SenderSession) -> list[bytes]:
    sent: list[bytes] = []
    while (due_s := session.next_timer()) is not None:
        session.handle_timer(due_s)
        sent += session.datagrams_to_send(due_s)
    return sent


def told(datagrams: list[bytes], settings: ReceiverSettings | None = None) -> list[AboutTold]:
    session = ReceiverSession(settings or ReceiverSettings(), now=0.0)
    for datagram in datagrams:
        session.receive_datagram(datagram, 0.1)
    return [event for event in iter(session.next_event, None) if isinstance(event, AboutTold)]


def sending(**settings: object) -> SenderSession:
    session = SenderSession(make_stream(), SenderSettings(20e3, feedback=False, **settings), stream_id=1, now=0.0)  # type: ignore[arg-type]
    session.tell(Manifest(about=ABOUT))
    return session


def test_it_leaves_behind_the_first_packet_and_again_and_is_told_once() -> None:
    sent = datagrams(sending())
    kinds = [parse_packet(datagram).kind for datagram in sent]
    assert kinds[:2] == [Kind.DATA, Kind.MANIFEST]
    assert 2 <= kinds.count(Kind.MANIFEST) <= 4
    assert told(sent) == [AboutTold(1, ABOUT)]


def test_a_lost_copy_is_made_good_by_a_later_one() -> None:
    sent = datagrams(sending())
    del sent[1]
    assert told(sent) == [AboutTold(1, ABOUT)]


def test_nothing_is_told_of_a_stream_of_which_nothing_came() -> None:
    manifest = Packet(Kind.MANIFEST, 7, 0, Manifest(about=ABOUT).to_bytes()).to_bytes()
    session = ReceiverSession(ReceiverSettings(), now=0.0)
    session.receive_datagram(manifest, 0.0)
    assert session.statistics.damaged == 1
    assert not any(isinstance(event, AboutTold | StreamStarted) for event in iter(session.next_event, None))


def test_a_sealed_stream_seals_it() -> None:
    settings = SenderSettings(20e3, feedback=False, sealed=True)
    session = SenderSession(make_stream(), settings, stream_id=1, now=0.0, envelope=SealedEnvelope(bytes(32)))
    session.tell(Manifest(about=ABOUT))
    assert not any(b"cliff" in datagram for datagram in datagrams(session))


def test_it_is_told_only_when_asked_for(call: CommandLine, tmp_path: Path) -> None:
    photo = tmp_path / "cliff.png"
    write_png(photo, np.ascontiguousarray(sample_photo()[::4, ::4]))
    run = (photo, "--fast", "--codec", "thumbnails", "--channel", "none", "--output", tmp_path / "out")
    quiet = call(sender.__main__.main, *run)
    assert "photo 1 is" not in quiet.out
    assert "about" not in json.loads((tmp_path / "out" / "report.json").read_text())
    told = call(sender.__main__.main, *run, "--with-metadata")
    assert "cliff is cliff.png" in told.out.splitlines()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["about"] == {"name": "cliff.png"}


class Address(Display):
    def __init__(self) -> None:
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()

    def note(self, text: str) -> None:
        if text.startswith("listening at "):
            self.url.set_result(text.removeprefix("listening at "))

    def summary(self, text: str) -> None:
        self.closed.set()


async def test_the_folder_of_a_receiver_that_stays_is_named_by_it(tmp_path: Path) -> None:
    photo = tmp_path / "Über den Wolken.png"
    write_png(photo, sample_photo())
    display = Address()
    settings = ReceiverSettings(stays=True)
    options = ReceiverOptions("udp://127.0.0.1:0", settings, tmp_path / "out", device="cpu")
    receiving = asyncio.create_task(receive_photos(options, display))
    to = (await display.url,)
    await stream_photos(
        SenderOptions(str(photo), "thumbnails", SenderSettings(1e6), with_metadata=True, to=to), Address()
    )
    await display.closed.wait()
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folder.name.endswith("Z_Uber_den_Wolken")
    assert json.loads((folder / "report.json").read_text())["about"]["name"] == photo.name


def test_a_file_keeps_it_where_no_reader_of_before_is_disturbed(call: CommandLine, tmp_path: Path) -> None:
    photo, plain, told = tmp_path / "cliff.png", tmp_path / "plain.prog", tmp_path / "told.prog"
    write_png(photo, np.ascontiguousarray(sample_photo()[::4, ::4]))
    assert call(progressive.__main__.main, "encode", photo, plain, "--codec", "thumbnails").status == 0
    assert (
        call(progressive.__main__.main, "encode", photo, told, "--codec", "thumbnails", "--with-metadata").status == 0
    )
    without, contents = read_stream(plain.read_bytes()), read_stream(told.read_bytes())
    assert (without.about, contents.about) == (About(), About(name="cliff.png"))
    assert contents.segments == without.segments
    assert (contents.missing, contents.damaged) == (0, 0)
    info = call(progressive.__main__.main, "info", told).out
    assert "cliff.png" in info
    limited = tmp_path / "limited.prog"
    options = ("--codec", "thumbnails", "--with-metadata", "--bytes", "1000B")
    assert call(progressive.__main__.main, "encode", photo, limited, *options).status == 0
    assert limited.stat().st_size <= 1000
    assert read_stream(limited.read_bytes()).about == About(name="cliff.png")
