import asyncio
from itertools import pairwise

import pytest
from streams import make_stream

from progressive.transport.drive import drive
from progressive.transport.memory import memory_pair
from progressive.transport.udp import UdpAddress, open_udp_receiver, open_udp_sender
from receiver.events import SegmentReceived, StreamEnded
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import StreamFinished
from sender.session import SenderSession
from sender.settings import SenderSettings

STREAM = make_stream()


async def memory_ends():
    return memory_pair()


async def udp_ends():
    receiver = await open_udp_receiver(UdpAddress("127.0.0.1", 0))
    return await open_udp_sender(receiver.local_address), receiver


@pytest.mark.parametrize("open_ends", [memory_ends, udp_ends])
async def test_a_stream_passes_in_real_time(open_ends):
    near, far = await open_ends()
    now = asyncio.get_running_loop().time()
    sender = SenderSession(STREAM, SenderSettings(4e6), stream_id=1, now=now)
    receiver = ReceiverSession(ReceiverSettings(), now=now)
    sent, received = [], []
    async with asyncio.timeout(10):
        await asyncio.gather(drive(sender, near, sent.append), drive(receiver, far, received.append))
    assert sent[-1] == StreamFinished("complete")
    assert received[-1] == StreamEnded(1, "complete", more=False)
    segments = {event.segment_id: event.payload for event in received if isinstance(event, SegmentReceived)}
    assert segments == {segment.id: segment.payload for segment in STREAM.segments}
    near.close()
    far.close()


async def test_closing_the_transport_ends_the_pump():
    _, far = memory_pair()
    pump = asyncio.ensure_future(drive(ReceiverSession(ReceiverSettings(), now=0.0), far))
    await asyncio.sleep(0)
    far.close()
    async with asyncio.timeout(5):
        await pump


class PacedSession:
    """Sends one datagram at every whole millisecond of its clock."""

    def __init__(self, now, count):
        self.due, self.left = now, count
        self.times = []

    done = property(lambda self: not self.left)

    def datagrams_to_send(self, now):
        if now < self.due or self.done:
            return []
        self.due, self.left = now + 0.001, self.left - 1
        self.times.append(now)
        return [b"x"]

    def next_timer(self):
        return self.due

    def receive_datagram(self, data, now): ...
    def handle_timer(self, now): ...
    def next_event(self): ...


async def test_an_event_loop_that_wakes_late_does_not_slow_the_pace():
    near, _ = memory_pair()
    loop = asyncio.get_running_loop()
    session = PacedSession(loop.time(), 200)
    await drive(session, near)
    gaps = [after - before for before, after in pairwise(session.times)]
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(0.001, abs=1e-6)
