"""What goes next, asked of the schedule alone."""

from streams import make_stream

from progressive.packing.packed import PackedStream
from progressive.wire.control import Report
from progressive.wire.protection import Slot
from sender.audience import Audience, Sent
from sender.pace import Pace
from sender.schedule import REPLAN_INTERVAL_S, Schedule
from sender.sent_packets import SentPackets
from sender.settings import SenderSettings

SETTINGS = SenderSettings(50_000, deadline_s=10)


class Sending:
    """A schedule whose packets leave as fast as they are asked for."""

    def __init__(self) -> None:
        self.sent, self.audience = SentPackets(), Audience(SETTINGS.expect, serve=None)
        packed = PackedStream.of(make_stream(), SETTINGS.payload_size)
        self.schedule = Schedule(
            packed,
            SETTINGS,
            stream_id=7,
            deadline=SETTINGS.deadline_s,
            now=0.0,
            pace=Pace(SETTINGS, None, now=0.0),
            sent=self.sent,
            audience=self.audience,
            replan_at=0.0,
        )

    def send(self, now: float = 0.0) -> tuple[Slot, str]:
        size = self.schedule.next_size
        packet, kind = self.schedule.next_packet()
        assert packet.sequence == len(self.sent)
        assert size == SETTINGS.wire_size(len(packet.to_bytes()))
        slot = Slot(packet.block, packet.index)
        self.sent.add(slot, size, now)
        return slot, kind

    def hear(self, now: float, *, arrived: str) -> bool:
        """`arrived`: of each packet that left, 1 if it did, 0 if not."""
        count, lost = len(arrived), arrived.count("0")
        recent = int(arrived[::-1].ljust(256, "0"), 2).to_bytes(32, "big")
        report = Report(
            stream=7,
            received=count - lost,
            expected=count,
            loss=lost / count,
            burst=float(bool(lost)),
            segments=0,
            layers=0,
            latest=count - 1,
            recent=recent,
            complete=False,
            ended=False,
        )
        assert self.audience.take(report, now, Sent(count, len(self.schedule.packed.blocks), 100))
        return self.schedule.hear(now)


def test_the_plan_goes_slot_after_slot_until_all_is_sent() -> None:
    sending = Sending()
    slots = sending.schedule.plan.slots
    assert [sending.send()[0] for _ in slots] == list(slots)
    assert sending.schedule.is_all_sent
    assert sending.schedule.slots_left == 0


def test_what_is_lost_of_the_base_goes_before_everything_else_and_once() -> None:
    sending = Sending()
    first = [sending.send(0.01 * number)[0] for number in range(8)]
    assert first[2].block in sending.schedule.base
    assert sending.hear(0.5, arrived="11011111")
    assert sending.send(0.5) == (first[2], "repair")
    assert sending.send(0.5)[1] != "repair"


def test_reports_that_come_in_a_flood_make_one_plan() -> None:
    sending = Sending()
    for number in range(8):
        sending.send(0.01 * number)
    plans = [sending.hear(now, arrived="1" * 8) for now in (0.5, 0.56, 0.62, 0.68)]
    assert plans == [True, False, False, False]
    assert sending.hear(0.5 + 2 * REPLAN_INTERVAL_S, arrived="1" * 8)
