import re
import socket
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from observations import HEADER, received, shown

from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.shell import exporter
from progressive.shell.display import Display, QuietDisplay
from progressive.shell.exporter import counted
from receiver.events import DatagramDropped, PacketRecovered, StreamEnded, StreamStarted
from receiver.reception import PhotoStarted
from sender.events import PacketSent, Replanned, ReportReceived, StreamFinished
from sender.joins import ReceiverJoined, ReceiverLeft

RECEIVER, SENDER = "receiver.counters:ReceiverCounters", "sender.counters:SenderCounters"


class Announced(QuietDisplay):
    """Tells where metrics are served."""

    url = ""

    def note(self, text: str) -> None:
        self.url = text.removeprefix("metrics at ")


def values_after(counters: str, *events: object) -> dict[str, float]:
    announced = Announced()
    with counted(announced, "127.0.0.1:0", counters) as display:
        for event in events:
            display.observe(event)
        text = urllib.request.urlopen(announced.url, timeout=10).read().decode()
    lines = re.findall(r"^progressive_(\S+(?: \S+=.*?})?) ([\d.e+-]+)$", text, re.MULTILINE)
    assert "process_resident_memory_bytes" in text
    return {name: float(value) for name, value in lines if not name.split("{")[0].endswith("_created")}


def test_a_receiver_counts_packets_losses_and_pictures() -> None:
    values = values_after(
        RECEIVER,
        received(1, 0, received=1, expected=1),
        received(1, 3, received=2, expected=4),
        StreamStarted(1, HEADER, 0.0),
        PhotoStarted("a"),
        PacketRecovered(1, 0, 1),
        DatagramDropped("damaged"),
        DatagramDropped("damaged"),
        shown("a", 1),
        shown("a", 2),
        StreamEnded(1, "ended", more=True),
        received(2, 1, received=1, expected=2),
    )
    assert values['packets_received_total{kind="source"}'] == 3
    assert values["packets_expected_total"] == 6
    assert values["received_bytes_total"] == 300
    assert values["packets_recovered_total"] == 1
    assert values['datagrams_dropped_total{reason="damaged"}'] == 2
    assert values["streams_started_total"] == 1
    assert values['streams_ended_total{reason="ended"}'] == 1
    assert values["refinement_seconds_count"] == 2
    assert values["refinement_seconds_sum"] == pytest.approx(0.2)
    assert (values["first_picture_seconds_count"], values["first_picture_seconds_sum"]) == (1, 0.5)


def test_a_sender_counts_packets_reports_and_receivers() -> None:
    values = values_after(
        SENDER,
        ReceiverJoined("a"),
        ReceiverJoined("b"),
        PacketSent(0, "source", 0, 700),
        PacketSent(1, "repair", 0, 300),
        ReportReceived(loss=0.25, burst=1.0, segments=3),
        Replanned(LossModel(0.125, 2.0), 9),
        StreamFinished("complete"),
        ReceiverLeft("a", "closed"),
    )
    assert values['packets_sent_total{kind="repair"}'] == 1
    assert values["sent_bytes_total"] == 1000
    assert (values["reports_received_total"], values["reported_loss"], values["planned_loss"]) == (1, 0.25, 0.125)
    assert values['streams_finished_total{reason="complete"}'] == 1
    assert (values["receivers_joined_total"], values["receivers_left_total"], values["receivers"]) == (2, 1, 1)


def test_without_an_address_nothing_is_counted() -> None:
    display = Display()
    with counted(display, None, RECEIVER) as same:
        assert same is display


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1", "1:2:3", "99999", "a b:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="metrics"), counted(Display(), address, RECEIVER):
        pass


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UsageError, match="is in use"), counted(Display(), address, RECEIVER):
            pass


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5)


def test_who_asks_for_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(exporter._Handler, "timeout", 0.1)
    announced = Announced()
    with counted(announced, "127.0.0.1:0", RECEIVER):
        for sent in (b"", b"GET /metrics HTTP/1.1\r\nHost:"):
            with connected(announced.url) as stranger:
                stranger.sendall(sent)
                assert stranger.recv(1) == b""
    assert capfd.readouterr() == ("", "")


def test_connections_beyond_the_limit_are_closed_and_later_ones_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "MOST_CONNECTIONS", 1)
    announced = Announced()
    with counted(announced, "127.0.0.1:0", RECEIVER):
        with connected(announced.url) as first:
            with connected(announced.url) as second:
                assert second.recv(1) == b""
            first.shutdown(socket.SHUT_WR)
            assert first.recv(1) == b""
        assert urllib.request.urlopen(announced.url, timeout=10).status == 200
