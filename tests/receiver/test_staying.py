"""A receiver that stays: stream after stream and sender after sender, each in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_codec
import numpy as np
import pytest
from conftest import CommandLine
from streams import make_stream

from progressive.errors import RunError
from progressive.photos import read_photo, sample_photo, write_png
from progressive.shell.display import Display
from progressive.transport.access import Access
from progressive.transport.schemes import FADE_S, usual_silence_s
from receiver import run
from receiver.__main__ import main
from receiver.events import ReceiverEvent, StreamEnded, StreamStarted
from receiver.reception import PictureShown, Reception
from receiver.run import ReceiverOptions
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.carousel import CarouselSession
from sender.options import SenderOptions
from sender.remote import stream_to_receivers
from sender.session import SenderSession
from sender.settings import SenderSettings

STAYS = ReceiverSettings(stays=True)


def events_of(session: ReceiverSession) -> list[ReceiverEvent]:
    return [e for e in iter(session.next_event, None) if isinstance(e, StreamStarted | StreamEnded)]


def datagrams(session: SenderSession | CarouselSession, count: int = 1000) -> list[bytes]:
    """Up to so many of what it sends without being answered."""
    sent: list[bytes] = []
    while len(sent) < count and (due_s := session.next_timer()) is not None:
        session.handle_timer(due_s)
        sent += session.datagrams_to_send(due_s)
        list(iter(session.next_event, None))
    return sent[:count]


def sending(stream_id: int, **settings: Any) -> SenderSession:
    return SenderSession(make_stream(), SenderSettings(1e6, **settings), stream_id=stream_id, now=0.0)


def test_one_stream_follows_another_although_nothing_was_announced() -> None:
    session = ReceiverSession(STAYS, now=0.0)
    for stream_id in (1, 2, 3):
        for datagram in datagrams(sending(stream_id)):
            session.receive_datagram(datagram, stream_id)
        assert not session.done
    events = events_of(session)
    assert [(type(event), event.stream_id) for event in events] == [
        (kind, stream_id) for stream_id in (1, 2, 3) for kind in (StreamStarted, StreamEnded)
    ]
    assert all(event.reason == "complete" for event in events if isinstance(event, StreamEnded))


def test_what_a_carousel_repeats_is_not_received_again() -> None:
    first = sending(1)
    session = ReceiverSession(STAYS, now=0.0)
    for datagram in datagrams(first):
        session.receive_datagram(datagram, 1.0)
    assert len(events_of(session)) == 2
    for datagram in datagrams(CarouselSession(first, now=20.0), 200):
        session.receive_datagram(datagram, 20.0)
    assert events_of(session) == []


@pytest.mark.parametrize("stays", [False, True])
def test_a_stream_that_fell_silent_may_go_on_later(stays: bool) -> None:
    settings = replace(STAYS, stays=stays)
    session = ReceiverSession(settings, now=0.0)
    sent = datagrams(sending(1, protection="none", feedback=False))
    for datagram in sent[:9]:
        session.receive_datagram(datagram, 0.1)
    due_s = session.next_timer()
    while session.held_bytes and due_s is not None:
        session.handle_timer(due_s)
        session.datagrams_to_send(due_s)
        due_s = session.next_timer()
    assert [type(event) for event in events_of(session)] == [StreamStarted, StreamEnded]
    for datagram in sent:
        session.receive_datagram(datagram, 1000.0)
    again = [StreamStarted, StreamEnded] if stays else []
    assert [type(event) for event in events_of(session)] == again


def test_a_link_has_longer_to_come_back_where_nobody_waits() -> None:
    url = "udp://127.0.0.1:9000"
    assert usual_silence_s(url, Access()) < usual_silence_s(url, Access(), stays=True) == FADE_S


class Recorder(Display):
    """Keeps what is said, and tells where a receiver listens."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.events: list[Mapping[str, Any]] = []
        self.shown = asyncio.Event()
        self.closings: asyncio.Queue[str] = asyncio.Queue()
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(self, text: str) -> None:
        self.notes.append(text)
        if text.startswith("listening at "):
            self.address.set_result(text.removeprefix("listening at "))

    def event(self, record: Mapping[str, Any], text: str) -> None:
        self.events.append(record)
        self.notes.append(text)

    def observe(self, event: object) -> None:
        if isinstance(event, PictureShown):
            self.shown.set()

    def summary(self, text: str) -> None:
        self.closings.put_nowait(text)


class Receiver:
    """A receiver that stays, as a task of the running loop."""

    def __init__(self, output: Path, *, silence_s: float = 3.0, keep: int | None = None) -> None:
        self.display, self.output = Recorder(), output
        settings = replace(STAYS, silence_s=silence_s)
        options = ReceiverOptions("udp://127.0.0.1:0", settings, output, device="cpu", keep=keep)
        self.task = asyncio.create_task(run.receive_photos(options, self.display))

    async def closing(self) -> str:
        async with asyncio.timeout(20):
            return await self.display.closings.get()

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    def folders(self) -> list[Path]:
        return sorted(path for path in self.output.iterdir() if path.is_dir())


@pytest.fixture
def photo(tmp_path: Path, thumbnails: str) -> Path:
    path = tmp_path / "photo.png"
    write_png(path, np.ascontiguousarray(sample_photo()[::4, ::4]))
    return path


async def send(photo: Path, address: str) -> None:
    options = SenderOptions(str(photo), "thumbnails", SenderSettings(2e6), to=(address,))
    await asyncio.to_thread(stream_to_receivers, options, Display())


async def test_senders_come_one_after_the_other_and_nothing_is_written_over(photo: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out")
    address = await receiver.display.address
    for shade in (0, 255):
        write_png(photo, np.full((64, 64, 3), shade, np.uint8))
        await send(photo, address)  # at once: nobody has to wait until the one before has been silent for a while
        await receiver.closing()
    folders = receiver.folders()
    assert [read_photo(folder / "final.png").mean() for folder in folders] == [0, 255]
    assert {record["photo"] for record in receiver.display.events} == {"photo 1", "photo 2"}
    pictures = [line for line in receiver.display.notes if " B  base" in line]
    assert all(line.startswith(("photo 1: ", "photo 2: ")) for line in pictures)
    assert all(json.loads((folder / "report.json").read_text())["events"] for folder in folders)
    assert (read_photo(receiver.output / "latest.png") == 255).all()
    await receiver.stop()


async def test_a_sender_that_is_started_again_half_way_begins_another_photo(photo: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.5)
    address = await receiver.display.address
    host, port = address.removeprefix("udp://").split(":")
    stream = fake_codec.ThumbnailCodec().encode(sample_photo()[::4, ::4], max_payload=200)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:  # the same port for both
        for stream_id, count in ((1, 5), (2, 1000)):
            session = SenderSession(stream, SenderSettings(1e6, packet_size=400), stream_id=stream_id, now=0.0)
            for datagram in datagrams(session, count):
                sender.sendto(datagram, (host, int(port)))
    closings = [await receiver.closing() for _ in range(2)]
    assert [closing.partition(":")[0] for closing in closings] == ["photo 1", "photo 2"]
    assert len(receiver.folders()) == 2
    await receiver.stop()


async def test_a_sender_that_falls_silent_is_a_line_and_not_the_end(photo: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.2)
    address = await receiver.display.address
    host, port = address.removeprefix("udp://").split(":")
    stream = fake_codec.ThumbnailCodec().encode(sample_photo(), max_payload=900)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams(SenderSession(stream, SenderSettings(1e6), stream_id=1, now=0.0), 8):
            sender.sendto(datagram, (host, int(port)))
        await receiver.closing()
    assert "the sender fell silent before the end, what came is kept" in receiver.display.notes
    await receiver.stop()
    assert (receiver.folders()[0] / "final.png").exists()


async def test_a_picture_that_cannot_be_written_costs_that_photo_alone(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failed = Reception.take, list[str]()

    def fail_once(self: Reception, segment_id: int, payload: bytes) -> None:
        if self.name == "photo 1":
            failed.append(self.name)
            raise RunError("disk full")
        take(self, segment_id, payload)

    monkeypatch.setattr(Reception, "take", fail_once)
    receiver = Receiver(tmp_path / "out")
    address = await receiver.display.address
    for _ in range(2):
        await send(photo, address)
        await receiver.closing()
    assert receiver.display.notes.count("disk full") == len(failed) > 0
    assert len(receiver.folders()) == 1
    await receiver.stop()


async def test_stopped_it_keeps_what_came(photo: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out")
    address = await receiver.display.address
    host, port = address.removeprefix("udp://").split(":")
    stream = fake_codec.ThumbnailCodec().encode(sample_photo(), max_payload=900)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams(SenderSession(stream, SenderSettings(1e6), stream_id=1, now=0.0), 8):
            sender.sendto(datagram, (host, int(port)))
        await receiver.display.shown.wait()
        await receiver.stop()
    (folder,) = receiver.folders()
    assert {"final.png", "report.json"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--keep", "3"), "--keep is for a receiver that stays: give --serve too"),
        (("--serve", "--timeout", "3s"), "leave --timeout out"),
        (("--serve", "--reference", "photo.png"), "leave --reference out"),
        (("--serve", "--keep", "0"), "--keep 0 is too small: use 1 or more"),
        (("--serve", "--output", "/proc/out"), "cannot write into the folder /proc/out"),
    ],
)
def test_what_contradicts_staying_is_one_line_and_status_2(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(main, "--from", "udp://127.0.0.1:0", *arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err
