import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_codec
import numpy as np
import pytest
from conftest import CommandLine

from progressive.errors import BitstreamError, ProgressiveError, RunError
from progressive.photos import read_photo, sample_photo, write_png
from progressive.shell.display import Display
from progressive.stream import StreamHeader
from progressive.wire.packet import Kind, Packet
from progressive.wire.records import HEADER_ID, Record, write_records
from receiver import run, stream_state
from receiver.__main__ import main
from receiver.reception import Reception
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings
from sender import remote
from sender import session as sender_session
from sender.expectation import Expected
from sender.options import SenderOptions
from sender.remote import stream_to_receivers
from sender.session import SenderSession
from sender.settings import SenderSettings

pytestmark = pytest.mark.usefixtures("thumbnails")


class Recorder(Display):
    """Keeps what is shown, and tells where a receiver listens."""

    def __init__(self) -> None:
        self.notes = list[str]()
        self.events = list[Mapping[str, Any]]()
        self.address: Future[str] = Future()

    def note(self, text: str) -> None:
        self.notes.append(text)
        if text.startswith("listening at "):
            self.address.set_result(text.removeprefix("listening at "))

    def event(self, record: Mapping[str, Any], text: str) -> None:
        self.events.append(record)


class Receiver:
    """A receiver in a thread of this process."""

    def __init__(self, output: Path, **options: Any) -> None:
        self.display = Recorder()
        self.output = output
        of_session = {name: options.pop(name) for name in ("silence_s", "receiver_id") if name in options}
        settings = ReceiverSettings(**of_session)
        self._options = ReceiverOptions("udp://127.0.0.1:0", settings, output, device="cpu", **options)
        self._error: ProgressiveError | None = None
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()
        self.address = self.display.address.result(timeout=20)

    def _receive(self) -> None:
        try:
            receive(self._options, self.display)
        except ProgressiveError as error:
            self._error = error

    def result(self) -> ProgressiveError | None:
        """Waits for the end of the run; returns how it failed."""
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
        return self._error


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2):
        write_png(folder / f"{number}.png", np.ascontiguousarray(sample_photo()[::4, :: 2 * number]))
    return folder


def options(source: Path, *addresses: str, **settings: Any) -> SenderOptions:
    return SenderOptions(str(source), "thumbnails", SenderSettings(**{"bandwidth_bps": 2e6} | settings), to=addresses)


@pytest.fixture
def impatient_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_session, "END_INTERVAL_S", 0.01)
    monkeypatch.setattr(sender_session, "LINGER_S", 0.05)


def test_photos_reach_several_receivers_over_udp(photos: Path, tmp_path: Path) -> None:
    first = Receiver(tmp_path / "first", reference=photos / "1.png")
    second = Receiver(tmp_path / "second")
    display = Recorder()
    stream_to_receivers(options(photos, first.address, second.address), display)
    for receiver in (first, second):
        assert receiver.result() is None
        assert read_photo(receiver.output / "final.png").shape == (128, 256, 3)
        assert read_photo(receiver.output / "photo_02" / "final.png").shape == (128, 128, 3)
    report = json.loads((first.output / "report.json").read_text())
    assert report["events"][-1]["psnr"] > 15
    assert report["wire_bytes"] >= report["events"][-1]["bytes"]
    assert json.loads((second.output / "report.json").read_text())["events"][-1]["psnr"] is None
    assert {(event["photo"], event["to"]) for event in display.events} == {
        (photo, receiver.address) for photo in ("1", "2") for receiver in (first, second)
    }
    assert all(event["loss"] == 0 for event in display.events)


def test_a_broadcast_is_one_stream_for_all(photos: Path, tmp_path: Path) -> None:
    receivers = [Receiver(tmp_path / str(number), receiver_id=number) for number in (1, 2, 3)]
    display = Recorder()
    addresses = [receiver.address for receiver in receivers]
    stream_to_receivers(options(photos / "1.png", *addresses, serve=0.95), display)
    for receiver in receivers:
        assert receiver.result() is None
        assert read_photo(receiver.output / "final.png").shape == (128, 256, 3)
    assert {event["to"] for event in display.events} == {", ".join(addresses)}
    assert {event["receiver"] for event in display.events} == {1, 2, 3}
    assert "complete" in display.notes[-1]


def test_a_sequence_reaches_two_receivers_of_which_each_keeps_what_did_not_change(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    background = np.ascontiguousarray(sample_photo()[::2, ::2])
    frames = [background.copy() for _ in range(4)]
    for frame, left in zip(frames, (60, 60, 100, 140), strict=True):
        frame[100:120, left : left + 20] = 250
    for number, frame in enumerate(frames):
        write_png(folder / f"{number}.png", frame)
    receivers = [Receiver(tmp_path / name, receiver_id=number) for number, name in enumerate(("first", "second"))]
    display = Recorder()
    run = options(folder, *(receiver.address for receiver in receivers), bandwidth_bps=500e3, deadline_s=2.0)
    sequence = replace(run, every_s=1.0)
    stream_to_receivers(sequence, display)
    for receiver in receivers:
        assert receiver.result() is None
        whole = read_photo(receiver.output / "final.png")
        last = read_photo(receiver.output / "photo_03" / "final.png")
        assert last.shape == (256, 256, 3)
        assert (last[200:] == whole[200:]).all()
        assert last[104:116, 144:156].mean() > 200
    assert "3 frames sent, 0 dropped for newer ones or as late, 1 unchanged" in display.notes[-1]


@pytest.mark.usefixtures("impatient_sender")
def test_one_receiver_that_never_comes_does_not_harm_another(photos: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        nobody = f"udp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(RunError, match=f"no receiver answered at {nobody}"):
            stream_to_receivers(options(photos, nobody, receiver.address, deadline_s=0.5), Recorder())
    assert receiver.result() is None
    assert (tmp_path / "out" / "photo_02" / "final.png").exists()


@pytest.mark.usefixtures("impatient_sender")
def test_a_second_sender_hears_that_the_receiver_is_busy_and_both_ends_say_so(photos: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=2.0)
    host, port = receiver.address.removeprefix("udp://").split(":")
    header = StreamHeader(fake_codec.NUMBER, bytes(8), 64, 64, 9).to_bytes()
    payload = write_records([Record(HEADER_ID, header)])
    display = Recorder()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
        for sequence in (0, 1):
            packet = Packet(Kind.DATA, 5, sequence, payload, 0, sequence, 2, 2)
            first.sendto(packet.to_bytes(), (host, int(port)))
        with pytest.raises(RunError, match=f"{receiver.address} is busy with another sender: wait until that one"):
            stream_to_receivers(options(photos, receiver.address, deadline_s=0.5), display)
    assert f"the receiver at {receiver.address} is busy with another sender: trying until the deadline" in display.notes
    assert "fell silent" in str(receiver.result())
    assert any("is turned away while this one is at it" in note for note in receiver.display.notes)
    assert any(re.match(r"dropped [0-9]+ datagrams of others", note) for note in receiver.display.notes)


@pytest.mark.usefixtures("impatient_sender")
def test_without_any_receiver_no_further_photo_is_announced(photos: Path) -> None:
    display = Recorder()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        nobody = f"udp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(RunError, match="no receiver answered"):
            stream_to_receivers(options(photos, nobody, deadline_s=0.5), display)
    assert [note for note in display.notes if note.startswith("1: ")]
    assert not [note for note in display.notes if note.startswith("2: ")]


def test_a_photo_that_could_not_be_written_does_not_harm_the_next(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    finish = Reception.finish

    def fail_once(self: Reception, *arguments: Any, **keywords: Any) -> str:
        if self.name == "photo 1":
            raise RunError("disk full")
        return finish(self, *arguments, **keywords)

    monkeypatch.setattr(Reception, "finish", fail_once)
    receiver = Receiver(tmp_path / "out")
    stream_to_receivers(options(photos, receiver.address), Recorder())
    assert str(receiver.result()) == "disk full"
    assert "disk full" in receiver.display.notes
    assert (tmp_path / "out" / "photo_02" / "final.png").exists()


def test_packets_of_51_bytes_reach_a_receiver_that_was_told_nothing(photos: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", reference=photos / "1.png")
    stream_to_receivers(options(photos, receiver.address, bandwidth_bps=200e3, packet_size=51), Recorder())
    assert receiver.result() is None
    assert read_photo(tmp_path / "out" / "final.png").shape == (128, 256, 3)
    assert (tmp_path / "out" / "photo_02" / "final.png").exists()


@pytest.mark.usefixtures("impatient_sender")
def test_a_receiver_that_goes_away_is_a_failure_of_the_sender(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(remote, "SILENCE_S", 0.2)
    monkeypatch.setattr(stream_state, "REPORT_INTERVAL_S", 0.02)
    receiver = Receiver(tmp_path / "out")
    taken = list[int]()

    def leave(self: Reception, segment_id: int, payload: bytes) -> None:
        taken.append(segment_id)
        if len(taken) == 4:
            raise RunError("disk full")

    monkeypatch.setattr(Reception, "take", leave)
    slow = {"bandwidth_bps": 100e3, "deadline_s": 1.0, "packet_size": 400}
    with pytest.raises(RunError, match=f"the receiver at {receiver.address} fell silent"):
        stream_to_receivers(options(photos / "1.png", receiver.address, **slow), Recorder())
    assert "disk full" in str(receiver.result())


@pytest.mark.parametrize("place", ["0", "9"])
def test_an_unreadable_photo_among_several_is_named_and_the_others_are_sent(
    photos: Path, tmp_path: Path, place: str
) -> None:
    (photos / f"{place}.png").write_bytes(b"not a photo")
    receiver = Receiver(tmp_path / "out")
    with pytest.raises(RunError, match=f"1 of 3 photos were not sent: {place}"):
        stream_to_receivers(options(photos, receiver.address), Recorder())
    assert receiver.result() is None
    assert (tmp_path / "out" / "photo_02" / "final.png").exists()


@pytest.mark.usefixtures("impatient_sender")
def test_one_way_nobody_needs_to_answer(photos: Path) -> None:
    display = Recorder()
    stream_to_receivers(options(photos / "1.png", "udp://127.0.0.1:9", deadline_s=0.2, feedback=False), display)
    assert "stopped at the deadline" in display.notes[-1]


def send_part(
    address: str, packets: int, prepare: Callable[[bytes], bytes] = lambda data: data, streams: int = 1
) -> None:
    """Sends the first datagrams of a stream, or of several one after the other, and falls silent."""
    stream = fake_codec.ThumbnailCodec().encode(sample_photo(), max_payload=900)
    host, port = address.removeprefix("udp://").split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for stream_id in range(1, streams + 1):
            session, sent = SenderSession(stream, SenderSettings(1e6), stream_id=stream_id, now=0.0), 0
            while sent < packets:
                for datagram in session.datagrams_to_send(session.next_timer() or 0.0)[: packets - sent]:
                    sender.sendto(prepare(datagram), (host, int(port)))
                    sent += 1


def test_a_sender_that_stops_half_way_leaves_the_best_picture(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.3)
    send_part(receiver.address, packets=8)
    error = receiver.result()
    assert isinstance(error, RunError)
    assert "fell silent before the end, what came is kept" in str(error)
    assert read_photo(tmp_path / "out" / "final.png").shape == (512, 512, 3)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["events"]


def test_pictures_of_a_photo_behind_one_that_was_cut_off_have_their_bytes(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.3)
    send_part(receiver.address, packets=4, streams=2)
    receiver.result()
    reports = [json.loads((tmp_path / "out" / path).read_text()) for path in ("report.json", "photo_02/report.json")]
    assert reports[0]["wire_bytes"] == reports[1]["wire_bytes"]
    assert reports[1]["events"][0]["bytes"] > 0
    assert reports[0]["packets"] == reports[1]["packets"]


def test_without_the_whole_base_the_receiver_has_failed(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.3)
    send_part(receiver.address, packets=1)
    error = str(receiver.result())
    assert re.search(
        r"the base did not arrive, the best picture is kept \([1-9]\d% of the picture grey\): lower", error
    )
    assert (tmp_path / "out" / "final.png").exists()


def test_nonsense_is_dropped_and_a_sender_that_never_comes_is_a_failure(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", timeout_s=0.5)
    send_part(receiver.address, packets=3, prepare=lambda data: data[:-1])
    assert str(receiver.result()) == "no sender came in 500 ms; nothing could be shown"
    assert not (tmp_path / "out").exists()


def test_a_stream_of_an_unknown_codec_is_a_failure_not_a_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "out", silence_s=0.3)
    monkeypatch.setattr(fake_codec, "NUMBER", 201)
    send_part(receiver.address, packets=3)
    assert "cannot be decoded: the stream was made by codec number 201" in str(receiver.result())


def test_streams_that_cannot_be_decoded_are_announced_once_and_the_others_shown(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    write_png(photos / "3.png", read_photo(photos / "1.png"))
    receiver = Receiver(tmp_path / "out")
    decoder_of, headers = fake_codec.ThumbnailCodec.decoder, list[StreamHeader]()

    def only_the_last(self: fake_codec.ThumbnailCodec, header: StreamHeader, *, device: str) -> Any:
        headers.append(header)
        if len(headers) < 3:
            raise BitstreamError("the stream needs model 01, but model 02 is installed")
        return decoder_of(self, header, device=device)

    monkeypatch.setattr(fake_codec.ThumbnailCodec, "decoder", only_the_last)
    monkeypatch.setattr(Expected, "curve", lambda *_, **__: None)  # the sender decodes for it
    stream_to_receivers(options(photos, receiver.address), Recorder())
    reason = "a stream cannot be decoded: the stream needs model 01, but model 02 is installed"
    assert str(receiver.result()) == reason
    assert receiver.display.notes.count(reason) == 1
    assert read_photo(tmp_path / "out" / "final.png").shape == (128, 256, 3)


def test_a_photo_that_was_announced_and_never_comes_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "NEXT_PHOTO_S", 0.2)
    receiver = Receiver(tmp_path / "out")
    more = SenderSession.__init__

    def announce_more(self: SenderSession, *arguments: Any, **keywords: Any) -> None:
        more(self, *arguments, **keywords | {"more": True})

    monkeypatch.setattr(SenderSession, "__init__", announce_more)
    stream_to_receivers(options(photos / "1.png", receiver.address), Recorder())
    assert "announced another photo that never came in 200 ms" in str(receiver.result())
    assert (tmp_path / "out" / "final.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing option '--from'"),
        (["--from", "9000"], "'9000' is not an address: write udp://HOST:PORT or "),
        (["--from", "udp://127.0.0.1:0", "--ice-server", "stun:a:1"], "--ice-server has no meaning for udp://"),
        (["--from", "udp://127.0.0.1:0", "--reference", "missing.png"], "cannot read missing.png"),
        (["--from", "udp://127.0.0.1:0", "--output", "/proc/out"], "cannot write into the folder /proc/out"),
        (["--from", "udp://127.0.0.1:0", "--timeout", "soon"], "'soon' is not a time"),
        (["--from", "udp://127.0.0.1:0", "--silence", "0s"], "use more than 0"),
        (["--from", "udp://127.0.0.1:0", "--device", "abacus"], "unknown device 'abacus'"),
        (["--from", "udp://192.0.2.1:9000"], "cannot be listened at"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(main, *arguments)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_port_in_use_is_one_line_and_status_2(call: CommandLine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        outcome = call(main, "--from", f"udp://127.0.0.1:{other.getsockname()[1]}", "--output", tmp_path / "out")
    assert outcome.status == 2
    assert "is in use" in outcome.err
    assert not (tmp_path / "out").exists()


async def test_a_photo_that_is_being_finished_is_written_although_the_run_is_stopped(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    finishing, go_on = asyncio.Event(), asyncio.Event()
    drain = Reception.drain

    async def drain_slowly(self: Reception) -> None:
        finishing.set()
        await go_on.wait()
        await drain(self)

    monkeypatch.setattr(Reception, "drain", drain_slowly)
    display = Recorder()
    receiver_options = ReceiverOptions("udp://127.0.0.1:0", ReceiverSettings(), tmp_path / "out", device="cpu")
    receiving = asyncio.create_task(run.receive_photos(receiver_options, display))
    address = await asyncio.wrap_future(display.address)
    sending = asyncio.create_task(
        asyncio.to_thread(stream_to_receivers, options(photos / "1.png", address), Recorder())
    )
    await finishing.wait()
    await sending
    receiving.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert (tmp_path / "out" / "final.png").exists()


def test_streams_of_which_nothing_can_be_shown_leave_no_folders_and_few_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "NEXT_PHOTO_S", 0.2)
    receiver = Receiver(tmp_path / "out", silence_s=0.2)
    header = StreamHeader(fake_codec.NUMBER, bytes(8), 64, 64, 9).to_bytes()
    payload = write_records([Record(HEADER_ID, header), Record(1, b"\xff" * 9)])
    host, port = receiver.address.removeprefix("udp://").split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for stream in range(50):
            for sequence in (0, 1):
                packet = Packet(Kind.DATA, stream, sequence, payload, 0, 0, 2, 2)
                stranger.sendto(packet.to_bytes(), (host, int(port)))
    error = str(receiver.result())
    assert error.count("the base did not arrive") <= run.MOST_FAILURES
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.json"]


async def test_a_stall_that_outlasts_the_wait_for_a_sender_does_not_end_it(tmp_path: Path) -> None:
    """The alarm rings late: what came meanwhile is looked at before the run gives up."""
    loop = asyncio.get_running_loop()
    closed: list[bool] = []

    class Waiting(run._Run):
        def __init__(self) -> None:
            self._loop, self._alarm, self._failures = loop, None, []
            self._options = ReceiverOptions("udp://127.0.0.1:0", ReceiverSettings())
            self._transport = type("Transport", (), {"close": lambda self: closed.append(True)})()

    waiting = Waiting()
    waiting._give_up(loop.time() - 4.0, "no sender came")
    assert not closed
    waiting._wait_at_most(None)  # a stream has started
    waiting._give_up(loop.time(), "no sender came")
    assert closed
