"""Whole streams under a shared key: sessions on a virtual clock, and both programs over UDP."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.errors import ProgressiveError, RunError
from progressive.photos import read_photo, sample_photo, write_png
from progressive.shell.display import Display, QuietDisplay
from progressive.transport.access import Access
from progressive.transport.keys import write_new_key
from progressive.transport.udp import UdpAddress, open_udp_receiver, open_udp_sender
from progressive.wire.envelope import PlainEnvelope
from progressive.wire.packet import Kind, Packet
from progressive.wire.sealing import SealedEnvelope
from receiver.events import CannotOpen, SegmentReceived, StreamEnded
from receiver.run import ReceiverOptions, receive
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender import session as sender_session
from sender.events import CannotOpen as SenderCannotOpen
from sender.options import SenderOptions
from sender.remote import stream_to_receivers
from sender.session import PacketSent, ReportReceived, SenderSession, StreamFinished
from sender.settings import SenderSettings

KEY, OTHER_KEY = bytes(32), bytes(range(32))
KEYS = {"a key": KEY, "another key": OTHER_KEY, "no key": None}


def envelope(key):
    return PlainEnvelope() if key is None else SealedEnvelope(key)


def run(sender_key, receiver_key):
    """A stream over a perfect link; it, and the events of both ends."""
    settings = SenderSettings(100e3, packet_size=300, deadline_s=5, sealed=sender_key is not None)
    stream = make_stream(payload=(40, 200))
    sender = SenderSession(stream, settings, stream_id=5, now=0, envelope=envelope(sender_key))
    receiver = ReceiverSession(ReceiverSettings(), now=0, envelope=envelope(receiver_key))
    events = []
    routes = [
        Route(sender, Link(LinkSettings(), seed=0), receiver),
        Route(receiver, Link(LinkSettings(), seed=0), sender),
    ]
    simulate(routes, on_event=lambda _, session, event: events.append((session is sender, event)), limit_s=30)
    return stream, [e for own, e in events if own], [e for own, e in events if not own]


def test_a_sealed_stream_arrives_and_reports_come_back():
    stream, sent, received = run(KEY, KEY)
    segments = {e.segment_id: e.payload for e in received if isinstance(e, SegmentReceived)}
    assert segments == {segment.id: segment.payload for segment in stream.segments}
    assert max(e.size for e in sent if isinstance(e, PacketSent)) <= 300
    assert any(isinstance(e, ReportReceived) for e in sent)
    assert StreamFinished("complete") in sent


@pytest.mark.parametrize(
    ("sender_key", "receiver_key"),
    [("a key", "another key"), ("a key", "no key"), ("no key", "a key")],
)
def test_ends_that_do_not_seal_alike_take_nothing_and_both_are_told(sender_key, receiver_key):
    _, sent, received = run(KEYS[sender_key], KEYS[receiver_key])
    assert not any(isinstance(e, SegmentReceived) for e in received)
    assert sum(isinstance(e, CannotOpen) for e in received) == 1
    assert any(isinstance(e, SenderCannotOpen) for e in sent)
    assert sent[-1] == StreamFinished("silence")


def test_settings_and_envelope_agree_about_sealing():
    with pytest.raises(ProgressiveError, match="differ about sealing"):
        SenderSession(make_stream(), SenderSettings(1e5), stream_id=1, now=0, envelope=SealedEnvelope(KEY))


def test_what_is_not_sealed_changes_nothing_once_a_sealed_stream_runs():
    receiver = ReceiverSession(ReceiverSettings(), now=0, envelope=SealedEnvelope(KEY))
    settings = SenderSettings(100e3, sealed=True)
    sender = SenderSession(make_stream(), settings, stream_id=5, now=0, envelope=SealedEnvelope(KEY))
    (first,) = sender.datagrams_to_send(0)
    receiver.receive_datagram(first, 0.0)
    forged = Packet(Kind.CONTROL, 5, 1, b"").to_bytes()
    for datagram in (forged, first, first[:-1] + b"\0"):
        receiver.receive_datagram(datagram, 0.0)
    assert receiver.statistics.received == 1
    assert receiver.statistics.duplicates == 1
    assert receiver.statistics.damaged == 2
    assert not any(isinstance(e, CannotOpen) for e in iter(receiver.next_event, None))


async def test_only_what_opens_makes_a_peer_over_udp():
    """A recorded datagram sent again from elsewhere does not turn the answers away from the sender."""
    receiver = await open_udp_receiver(UdpAddress("127.0.0.1", 0), SealedEnvelope(KEY))
    sender, thief = [await open_udp_sender(receiver.local_address) for _ in range(2)]
    datagram = SealedEnvelope(KEY).wrap(Packet(Kind.CONTROL, 1, 0, b""))
    await sender.send(datagram)
    await receiver.receive()
    await thief.send(datagram)
    await sender.send(datagram)
    await receiver.receive()
    await receiver.send(b"answer")
    assert await asyncio.wait_for(sender.receive(), 5) == b"answer"
    assert receiver.strangers == 1
    for transport in (receiver, sender, thief):
        transport.close()


NOW = 1.8e9


def sealed_stream(stream_id, *, sealed_s, more=False):
    """All datagrams of a stream that was sent at that time."""
    settings = SenderSettings(100e3, sealed=True, feedback=False, deadline_s=5)
    seals = SealedEnvelope(KEY, clock=lambda: sealed_s)
    sender = SenderSession(make_stream(), settings, stream_id=stream_id, now=0, more=more, envelope=seals)
    sent: list[bytes] = []
    while (timer := sender.next_timer()) is not None:
        sent += sender.datagrams_to_send(timer)
        sender.handle_timer(timer)
    return sent


def receive_all(receiver, datagrams, now):
    for datagram in datagrams:
        receiver.receive_datagram(datagram, now)
    return list(iter(receiver.next_event, None))


def test_recorded_packets_end_no_photo_in_progress():
    """Neither those of a stream that was heard before, nor of one that was not, nor the last ones of either."""
    receiver = ReceiverSession(ReceiverSettings(), now=0, envelope=SealedEnvelope(KEY, clock=lambda: NOW))
    heard, unheard = sealed_stream(1, sealed_s=NOW - 60, more=True), sealed_stream(2, sealed_s=NOW - 40)
    live = sealed_stream(3, sealed_s=NOW)
    receive_all(receiver, heard, 0.0)
    events = receive_all(receiver, live[:5], 1.0)
    for recorded in (heard[1], heard[-1], unheard[0], unheard[-1]):
        events += receive_all(receiver, [recorded], 1.5)
    events += receive_all(receiver, live[5:], 2.0)
    (ended,) = (e for e in events if isinstance(e, StreamEnded))
    assert (ended.stream_id, ended.reason) == (3, "complete")


def test_a_recorded_end_ends_no_waiting_receiver():
    receiver = ReceiverSession(ReceiverSettings(), now=0, envelope=SealedEnvelope(KEY, clock=lambda: NOW))
    for sealed_s in (NOW - 1000, NOW - 1):
        receive_all(receiver, sealed_stream(1, sealed_s=sealed_s)[-1:], 0.0)
        receiver.handle_timer(100.0)
        assert not receiver.done
    events = receive_all(receiver, sealed_stream(2, sealed_s=NOW), 200.0)
    assert events[-1] == StreamEnded(2, "complete", more=False)


@pytest.mark.parametrize("age_s", [4000, 100])
async def test_recorded_packets_from_elsewhere_do_not_keep_the_sender_out(age_s):
    """Too old ones hold nothing; others only until what was sealed later comes."""
    receiver = await open_udp_receiver(UdpAddress("127.0.0.1", 0), SealedEnvelope(KEY, clock=lambda: NOW))
    sender, thief = [await open_udp_sender(receiver.local_address) for _ in range(2)]
    genuine = sealed_stream(2, sealed_s=NOW)
    await thief.send(sealed_stream(1, sealed_s=NOW - age_s)[0])
    await asyncio.wait_for(receiver.receive(), 5)
    await sender.send(genuine[0])
    assert await asyncio.wait_for(receiver.receive(), 5) == genuine[0]
    await receiver.send(b"answer")
    assert await asyncio.wait_for(sender.receive(), 5) == b"answer"
    await thief.send(sealed_stream(1, sealed_s=NOW - 100)[2])  # of a stream that is older: nobody's place is lost
    await thief.send(sealed_stream(3, sealed_s=NOW + 1)[0])  # another sender with the key, at the same time
    await sender.send(genuine[2])
    assert await asyncio.wait_for(receiver.receive(), 5) == genuine[2]
    assert receiver.strangers == 2
    for transport in (receiver, sender, thief):
        transport.close()


class Announcer(Display):
    def __init__(self) -> None:
        self.address: Future[str] = Future()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)
        if text.startswith("listening at "):
            self.address.set_result(text.removeprefix("listening at "))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_png(path, np.ascontiguousarray(sample_photo()[::4, ::4]))
    return path


def stream_over_udp(photo: Path, out: Path, key: Path | None, receiver_key: Path | None) -> tuple[list[str], list[str]]:
    """Both programs; what each said in the end, if it failed, and the receiver's notes."""
    announcer, failures = Announcer(), []
    options = ReceiverOptions(
        "udp://127.0.0.1:0",
        ReceiverSettings(silence_s=1),
        out,
        device="cpu",
        timeout_s=3,
        access=Access(key_file=receiver_key),
    )

    def run_receiver() -> None:
        try:
            receive(options, announcer)
        except RunError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run_receiver)
    thread.start()
    address = announcer.address.result(timeout=20)
    settings = SenderSettings(300e3, packet_size=300, deadline_s=2, sealed=key is not None)
    try:
        stream_to_receivers(
            SenderOptions(str(photo), "thumbnails", settings, to=(address,), access=Access(key_file=key)),
            QuietDisplay(),
        )
    except RunError as error:
        failures.insert(0, str(error))
    thread.join(timeout=20)
    assert not thread.is_alive()
    return failures, announcer.notes


@pytest.mark.usefixtures("thumbnails")
def test_a_photo_goes_sealed_between_the_programs(photo: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    write_new_key(key)
    failures, _ = stream_over_udp(photo, tmp_path / "out", key, key)
    assert failures == []
    assert read_photo(tmp_path / "out" / "final.png").shape == (128, 128, 3)


@pytest.mark.usefixtures("thumbnails")
def test_a_wrong_key_is_one_line_on_both_sides(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_session, "LINGER_S", 0.3)
    keys = [tmp_path / "one", tmp_path / "other"]
    for key in keys:
        write_new_key(key)
    (of_sender, of_receiver), notes = stream_over_udp(photo, tmp_path / "out", *keys)
    assert "what answers at udp://127.0.0.1:" in of_sender
    assert "sealed with another key: both ends need the same --key-file" in of_sender
    assert "sealed with another key" in of_receiver
    assert sum("sealed with another key" in note for note in notes) == 1
