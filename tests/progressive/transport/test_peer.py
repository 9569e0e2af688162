"""Whose datagrams a receiver takes, on a clock of numbers."""

from __future__ import annotations

import pytest

from progressive.transport.peer import BUSY_EVERY_S, LONGEST_HOLD_S, PEER_HOLD_S, REBIND_S, Peer
from progressive.wire.control import Busy, End, parse_message
from progressive.wire.envelope import Envelope, PlainEnvelope
from progressive.wire.packet import Kind, Packet
from progressive.wire.sealing import SealedEnvelope

KEY = bytes(range(32))
OLD, NEW, STRANGER = ("192.0.2.1", 1000), ("192.0.2.1", 2000), ("198.51.100.7", 3000)


def packet(stream: int, sequence: int, kind: Kind = Kind.DATA) -> Packet:
    if kind is Kind.CONTROL:
        return Packet(kind, stream, sequence, End(stream=stream, more=False).to_bytes())
    return Packet(kind, stream, sequence, bytes(100), block=0, index=0, k=1, n=1)


def envelopes(sealed: bool) -> tuple[Envelope, Envelope]:
    return (SealedEnvelope(KEY), SealedEnvelope(KEY)) if sealed else (PlainEnvelope(), PlainEnvelope())


def peer_with_a_sender(sender: Envelope, receiver: Envelope, *, packets: int = 5, gap_s: float = 0.1) -> Peer:
    """The latest packet, of stream 1, came at 0 s."""
    peer = Peer(receiver)
    for sequence in range(packets):
        assert peer.admit(sender.wrap(packet(1, sequence)), OLD, (sequence - packets + 1) * gap_s).taken
    return peer


def test_a_sealed_stream_goes_on_from_another_address_at_once() -> None:
    sender, receiver = envelopes(sealed=True)
    peer = peer_with_a_sender(sender, receiver)
    moved = sender.wrap(packet(1, 5))
    assert peer.admit(moved, NEW, 0.01).taken
    assert peer.address == NEW
    assert not peer.admit(moved, STRANGER, 0.02).taken, "the same again from elsewhere"
    assert peer.address == NEW


def test_an_unsealed_stream_goes_on_from_another_address_once_the_old_one_is_silent() -> None:
    sender, receiver = envelopes(sealed=False)
    peer = peer_with_a_sender(sender, receiver)
    assert not peer.admit(sender.wrap(packet(1, 5)), NEW, REBIND_S / 2).taken
    assert peer.address == OLD
    assert REBIND_S < PEER_HOLD_S
    assert peer.admit(sender.wrap(packet(1, 6)), NEW, REBIND_S).taken
    assert peer.address == NEW


@pytest.mark.parametrize("sealed", [False, True])
def test_another_stream_from_elsewhere_waits_until_the_sender_has_gone(sealed: bool) -> None:
    sender, receiver = envelopes(sealed=sealed)
    peer = peer_with_a_sender(sender, receiver)
    other = envelopes(sealed=sealed)[0]
    assert not peer.admit(other.wrap(packet(2, 0)), STRANGER, PEER_HOLD_S - 0.1).taken
    assert peer.strangers == 1
    assert peer.admit(other.wrap(packet(2, 1)), STRANGER, PEER_HOLD_S).taken
    assert peer.address == STRANGER


def test_on_a_slow_link_a_sender_is_not_gone_between_two_packets() -> None:
    sender, receiver = envelopes(sealed=False)
    peer = peer_with_a_sender(sender, receiver, gap_s=9.0)
    assert not peer.admit(sender.wrap(packet(2, 0)), STRANGER, 8.9).taken
    assert peer.admit(sender.wrap(packet(2, 0)), STRANGER, LONGEST_HOLD_S).taken


@pytest.mark.parametrize("stream", [1, 2])
def test_an_end_from_elsewhere_is_nobodys(stream: int) -> None:
    sender, receiver = envelopes(sealed=False)
    peer = peer_with_a_sender(sender, receiver)
    for at in (0.1, REBIND_S, 10 * PEER_HOLD_S):
        assert not peer.admit(sender.wrap(packet(stream, 9, Kind.CONTROL)), STRANGER, at).taken
    assert peer.address == OLD


@pytest.mark.parametrize("sealed", [False, True])
def test_who_is_turned_away_hears_so_now_and_then_and_in_fewer_bytes_than_came(sealed: bool) -> None:
    sender, receiver = envelopes(sealed=sealed)
    peer = peer_with_a_sender(sender, receiver)
    other = envelopes(sealed=sealed)[0]
    answers = []
    for sequence in range(40):
        datagram = other.wrap(packet(2, sequence))
        answer = peer.admit(datagram, STRANGER, sequence * 0.05).answer
        assert len(answer) <= len(datagram)
        answers += [other.unwrap(answer)] if answer else []
    assert 2 <= len(answers) <= 1 + 2.0 / BUSY_EVERY_S
    assert all(parse_message(answer.payload) == Busy(stream=2) for answer in answers)
    small = PlainEnvelope().wrap(Packet(Kind.DATA, 2, 0, b"", k=1, n=1))
    assert peer.admit(small, STRANGER, 2.9).answer == b""


def test_nonsense_and_others_ends_are_not_answered() -> None:
    sender, receiver = envelopes(sealed=True)
    peer = peer_with_a_sender(sender, receiver)
    for nonsense in (bytes(500), PlainEnvelope().wrap(packet(2, 0)), SealedEnvelope(bytes(32)).wrap(packet(1, 9))):
        admission = peer.admit(nonsense, STRANGER, 0.1)
        assert (admission.taken, admission.answer) == (False, b"")


def test_a_sender_that_has_sent_its_last_keeps_nobody_waiting_and_is_answered_until_then() -> None:
    sender, receiver = envelopes(sealed=False)
    peer = peer_with_a_sender(sender, receiver)
    peer.release()
    assert not peer.admit(sender.wrap(packet(1, 9, Kind.CONTROL)), STRANGER, 0.1).taken
    assert peer.admit(sender.wrap(packet(1, 5, Kind.CONTROL)), OLD, 0.1).taken
    assert peer.address == OLD
    assert peer.admit(sender.wrap(packet(2, 0)), NEW, 0.2).taken
    assert peer.address == NEW
    assert not peer.admit(sender.wrap(packet(3, 0)), STRANGER, 0.3).taken, "the next one is alone again"
