import pytest

from progressive.errors import WireError
from progressive.loss_model import LossModel
from progressive.wire.control import Report
from progressive.wire.protection import Slot
from sender.audience import MAX_LISTENERS, REPORT_INTERVAL_S, Audience, Sent
from sender.sent_packets import SentPackets

ASSUMED = LossModel(0.1, 5)
SENT = Sent(datagrams=100, blocks=3, segments=50)


def report(arrived, *, receiver=0, layers=0, complete=False, ended=False):
    """The honest report of a receiver at which these datagrams arrived."""
    arrived = sorted(arrived)
    latest = arrived[-1]
    missing = [number for number in range(latest + 1) if number not in arrived]
    runs = sum(number - 1 not in missing for number in missing)
    bits = "".join("1" if latest - back in arrived else "0" for back in range(-(-(latest + 1) // 8) * 8))
    return Report(
        stream=1,
        received=len(arrived),
        expected=latest + 1,
        loss=len(missing) / (latest + 1),
        burst=len(missing) / runs if runs else 0.0,
        segments=50 if complete else 0,
        complete=complete,
        ended=ended,
        receiver=receiver,
        layers=layers,
        latest=latest,
        recent=int(bits, 2).to_bytes(len(bits) // 8, "big"),
    )


def losing(share, receiver):
    """A report of a receiver that lost every packet beyond so many of 100, spread out."""
    lost = int(share * 100)
    return report([number for number in range(100) if number % 2 or number >= 2 * lost], receiver=receiver)


def sent_packets(block_of, count=100):
    sent = SentPackets()
    for number in range(count):
        sent.add(Slot(block_of(number), number), 1000, now=0.1 * number)
    return sent


@pytest.mark.parametrize(("serve", "served"), [(1.0, 9), (0.95, 9), (0.9, 8), (0.5, 4), (0.05, 0)])
def test_a_broadcast_plans_for_the_receiver_at_the_quantile(serve, served):
    audience = Audience(ASSUMED, serve=serve)
    alone = Audience(ASSUMED, serve=None)
    for receiver in [3, 7, 0, 9, 1, 5, 4, 2, 8, 6]:
        audience.take(losing(0.05 * receiver, receiver), 1.0, SENT)
    alone.take(losing(0.05 * served, 0), 1.0, SENT)
    assert audience.losses() == alone.losses()


def test_what_all_of_the_served_share_have_counts_as_arrived():
    sent = sent_packets(lambda number: number // 50)
    audience = Audience(ASSUMED, serve=0.75)
    for receiver, lost in enumerate([[0], [1, 51], [2, 3, 4], [5, 6, 7, 8, 52]]):
        audience.take(report(set(range(100)) - set(lost), receiver=receiver), 1.0, SENT)
    known = sent.known(audience, (47, 50))
    assert [slot.index for slot, fate in known.fates.items() if not fate and slot.block == 0] == [2, 3, 4]
    assert [slot.index for slot, fate in known.fates.items() if not fate and slot.block == 1] in ([51], [52])
    assert known.whole == {0}


def test_before_any_report_nothing_is_known():
    audience = Audience(ASSUMED, serve=0.5)
    assert audience.losses() == ASSUMED
    assert set(sent_packets(lambda number: 0, 3).known(audience, (3,)).fates.values()) == {None}
    assert not audience.complete


def test_a_packet_just_overtaken_may_still_come():
    sent = SentPackets()
    for number, sent_s in enumerate([0.0, 0.1, 0.19, 0.2]):
        sent.add(Slot(0, number), 1000, sent_s)
    audience = Audience(ASSUMED, serve=None)
    audience.take(report([0, 3]), 1.0, SENT)
    assert list(sent.known(audience, (4,)).fates.values()) == [True, False, None, True]


@pytest.mark.parametrize("arrived", [[1, 2, 3], [0, 1, 3]])
def test_a_packet_arrived_if_it_arrived_in_any_copy(arrived):
    sent = SentPackets()
    for number, index in enumerate((0, 1, 0, 2)):
        sent.add(Slot(0, index), 1000, float(number))
    audience = Audience(ASSUMED, serve=None)
    audience.take(report(arrived), 1.0, SENT)
    assert dict(sent.known(audience, (3,)).fates) == {Slot(0, 1): True, Slot(0, 0): True, Slot(0, 2): True}
    assert [slot.index for slot in sent.slots()] == [1, 0, 2]


def test_what_arrived_stays_whatever_is_said_later():
    audience = Audience(ASSUMED, serve=None)
    audience.take(report(range(4)), 1.0, SENT)
    assert audience.take(report(range(1, 6)), 2.0, SENT)
    assert sent_packets(lambda number: 0, 6).known(audience, (6,)).whole == {0}


def test_reports_overtaken_by_later_ones_are_not_taken():
    audience = Audience(ASSUMED, serve=None)
    assert audience.take(report(range(10)), 1.0, SENT)
    assert not audience.take(report(range(5)), 2.0, SENT)
    assert audience.listeners[0].report.received == 10


def test_reports_that_come_too_fast_are_refused_unless_they_end_something():
    audience = Audience(ASSUMED, serve=None)
    audience.take(report(range(10)), 1.0, SENT)
    with pytest.raises(WireError, match="too fast"):
        audience.take(report(range(11)), 1.0 + REPORT_INTERVAL_S / 2, SENT)
    assert audience.take(report(range(50), complete=True), 1.0 + REPORT_INTERVAL_S / 2, SENT)
    assert audience.complete


def test_everybody_must_be_complete():
    audience = Audience(ASSUMED, serve=0.5)
    audience.take(report(range(50), receiver=1, complete=True), 1.0, SENT)
    assert audience.complete
    audience.take(report(range(50), receiver=2), 1.0, SENT)
    assert not audience.complete


def test_invented_receivers_are_bounded():
    audience = Audience(ASSUMED, serve=0.95)
    for receiver in range(MAX_LISTENERS):
        audience.take(report([0], receiver=receiver), 1.0, SENT)
    with pytest.raises(WireError, match="more than"):
        audience.take(report([0], receiver=MAX_LISTENERS), 1.0, SENT)
    assert len(audience.listeners) == MAX_LISTENERS


def test_a_receiver_started_anew_takes_the_place_of_the_one_before():
    audience = Audience(ASSUMED, serve=None)
    audience.take(report(range(20), receiver=1), 1.0, SENT)
    assert audience.take(report([19], receiver=2), 2.0, SENT)
    assert [listener.report.receiver for listener in audience.listeners] == [2]
    assert sent_packets(lambda number: 0, 20).known(audience, (20,)).fates[Slot(0, 3)] is False


def test_a_report_of_a_datagram_that_was_never_sent_is_refused():
    beyond = report([0]).model_copy(update={"latest": SENT.datagrams, "recent": b""})
    with pytest.raises(WireError, match="more than the 100 datagrams"):
        Audience(ASSUMED, serve=None).take(beyond, 1.0, SENT)
