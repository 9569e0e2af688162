"""Expected quality that is measured for a moment longer than a stream takes is told before its end."""

from dataclasses import replace

import pytest
from streams import make_stream

from progressive.wire.expected_quality import Curve
from progressive.wire.manifest import Manifest
from progressive.wire.packet import Kind, parse_packet
from sender.last_word import WAIT_S
from sender.session import SenderSession
from sender.settings import SenderSettings

SETTINGS = SenderSettings(50_000, protection="none", feedback=False)
CURVE = Curve.of(4, 24, 1, [8, 20, 30])


def sent_by(session: SenderSession, *, told_s: float | None = None, until: float = 100.0) -> list[tuple[float, Kind]]:
    """When what was sent by a session, to which the curve is told at a time, on a virtual clock."""
    sent, now = list[tuple[float, Kind]](), 0.0
    while not session.done and now < until:
        if told_s is not None and now >= told_s and session.last_word.measuring:
            session.tell(Manifest(CURVE))
            session.last_word.measuring = False
        sent += [(now, parse_packet(datagram).kind) for datagram in session.datagrams_to_send(now)]
        timer = session.next_timer()
        assert timer is None or timer > now or session.done
        now = until if timer is None else timer
        session.handle_timer(now)
    return sent


def session_of(settings: SenderSettings = SETTINGS, *, measuring: bool = True, repeats: bool = False) -> SenderSession:
    session = SenderSession(make_stream(enhance=20), settings, stream_id=1, now=0.0, repeats=repeats)
    session.last_word.measuring = measuring
    return session


def kinds_and_end(sent: list[tuple[float, Kind]]) -> tuple[list[Kind], float]:
    """What was sent after the last data, and when the end was said."""
    last = max(place for place, (_, kind) in enumerate(sent) if kind is Kind.DATA)
    return [kind for _, kind in sent[last + 1 :]], next(time for time, kind in sent if kind is Kind.CONTROL)


def test_what_is_measured_a_moment_after_the_last_data_is_told_before_the_end() -> None:
    _, usual_s = kinds_and_end(sent_by(session_of(measuring=False)))
    kinds, end_s = kinds_and_end(sent_by(session_of(), told_s=usual_s + 0.7))
    assert kinds[:3] == [Kind.MANIFEST, Kind.MANIFEST, Kind.CONTROL]
    assert usual_s + 0.7 <= end_s < usual_s + 0.85


@pytest.mark.parametrize("told_s", [None, 9.0])
def test_the_end_waits_no_longer_than_a_second(told_s: float | None) -> None:
    _, usual_s = kinds_and_end(sent_by(session_of(measuring=False)))
    kinds, end_s = kinds_and_end(sent_by(session_of(), told_s=told_s))
    assert set(kinds) == {Kind.CONTROL}
    assert end_s == pytest.approx(usual_s + WAIT_S, abs=0.1)


def test_no_data_goes_while_the_end_waits_after_the_deadline() -> None:
    settings = replace(SETTINGS, deadline_s=1.5)
    sent = sent_by(session_of(settings), told_s=2.0)
    assert {kind for time, kind in sent if time > 1.5} == {Kind.MANIFEST, Kind.CONTROL}


def test_what_is_told_in_time_delays_nothing() -> None:
    _, usual_s = kinds_and_end(sent_by(session_of(measuring=False)))
    sent = sent_by(session_of(), told_s=0.5)
    assert Kind.MANIFEST in {kind for time, kind in sent if time < usual_s}
    assert kinds_and_end(sent)[1] < usual_s + 0.1


def test_a_carousel_tells_it_later() -> None:
    _, usual_s = kinds_and_end(sent_by(session_of(measuring=False)))
    assert kinds_and_end(sent_by(session_of(repeats=True)))[1] == usual_s
