"""The controller on links in closed form: fluid, so that what it should settle at can be computed by hand."""

import heapq
from itertools import count

import pytest

from sender.arrivals import Arrival
from sender.pacing import TokenBucket
from sender.rate_control import LEAST_BPS, MOST_BPS, START_BPS, RateController

DELAY_S = 0.08
TARGET_S = 0.125
TICK_S = 0.002


class Road:
    """A link of `rate_bps(now)` with a queue, a sender that always has something to send, and reports every 0.1 s.

    Fields:
        waits: (when, for how long) each packet waited.
        carried: (when, bytes) of what arrived.
        control: the controller.
    """

    def __init__(self, rate_bps, *, size=1000, lose=lambda number: False, limit_s=float("inf"), clock_s=5000.0):
        self._rate_bps, self._size, self._lose, self._limit_s = rate_bps, size, lose, limit_s
        self.control = RateController(0.25)
        self.clock_s = clock_s
        self.waits, self.carried, self.rates = [], [], []
        self._sent, self._arrived = [], set()
        self._free_s = 0.0
        self._bucket = TokenBucket(START_BPS / 8, 2 * size, now=0.0)
        self._events, self._order = [(0.0, 0, "send", None)], count(1)
        self._told, self._latest, self._reported_s = -1, (-1, 0.0), -1.0

    def run(self, until, *, silent=lambda now: False):
        order, events = self._order, self._events
        while events and events[0][0] < until:
            now, _, what, value = heapq.heappop(events)
            if what == "send":
                for arrival in self._send_what_may_go(now):
                    heapq.heappush(events, (arrival[0], next(order), "arrive", arrival[1]))
                heapq.heappush(events, (now + TICK_S, next(order), "send", None))
            elif what == "arrive":
                self._arrived.add(value)
                self.carried.append((now, self._size))
                self._latest = max(self._latest, (value, now))
                if now - self._reported_s >= 0.1 or value < 3:
                    self._reported_s = now
                    heapq.heappush(events, (now + DELAY_S, next(order), "report", self._latest))
            elif not silent(now):
                self._report(now, *value)
            self.rates.append((now, self.control.rate_bps))
        return self

    def _send_what_may_go(self, now):
        """Arrivals of all that the pace lets pass by now."""
        self._bucket.change(self.control.pace_bps(self._size, now) / 8, 2 * self._size, now)
        arrivals = []
        while self._bucket.ready_at(self._size) <= now:
            self._bucket.take(self._size, now)
            arrivals += self._send(now)
        return arrivals

    def _send(self, now):
        number = len(self._sent)
        self._sent.append(now)
        self.control.sent(now)
        begin = max(now, self._free_s)
        if begin - now > self._limit_s:
            return []
        self.waits.append((now, begin - now))
        self._free_s = begin + 8 * self._size / self._rate_bps(begin)
        return [] if self._lose(number) else [(self._free_s + DELAY_S, number)]

    def _report(self, now, latest, arrived_s):
        if latest <= self._told:
            return
        numbers = range(self._told + 1, latest + 1)
        came = sum(number in self._arrived for number in numbers)
        self.control.take(
            Arrival(
                sent_s=self._sent[latest],
                arrived_s=arrived_s + self.clock_s,
                held_s=now - DELAY_S - arrived_s,
                size=self._size,
                sent_bytes=len(numbers) * self._size,
                arrived_bytes=came * self._size,
                sent=len(numbers),
                lost=len(numbers) - came,
                since_s=self._sent[numbers[0]],
                first=self._told < 0,
            ),
            now,
        )
        self._told = latest

    def goodput_bps(self, since, until):
        return 8 * sum(size for at, size in self.carried if since <= at < until) / (until - since)

    def longest_wait_s(self, since, until):
        return max(wait for at, wait in self.waits if since <= at < until)


def lossy(share):
    """Every n-th packet, in an order without a rhythm."""
    return lambda number: (number * 0.6180339887) % 1 < share


@pytest.mark.parametrize(("rate", "size"), [(5_000, 100), (20_000, 500), (50_000, 1000), (500_000, 1000), (3e6, 1000)])
def test_a_constant_link_is_filled_and_its_queue_settles_at_half_of_what_it_may_be(rate, size):
    road = Road(lambda now: rate, size=size).run(20)
    assert road.goodput_bps(10, 20) == pytest.approx(rate, rel=0.03)
    assert road.control.rate_bps == pytest.approx(rate, rel=0.05)
    assert road.control.queue_s == pytest.approx(TARGET_S, abs=0.02)
    assert road.longest_wait_s(5, 20) < 0.25


def test_sending_begins_low_with_two_packets_and_ever_fewer_until_there_is_a_report():
    control = RateController(0.25)
    assert control.rate_bps == START_BPS
    control.sent(0.0)
    assert control.pace_bps(100, 0.01) == START_BPS
    assert control.pace_bps(100, 1.0) == pytest.approx(100 * 8 / 1)
    assert control.pace_bps(100, 10.0) == control.pace_bps(100, 20.0) == pytest.approx(100 * 8 / 2)


def test_after_a_step_down_the_queue_is_short_again_within_three_seconds():
    road = Road(lambda now: 400_000 if now < 8 else 100_000).run(20)
    assert road.longest_wait_s(11, 20) < 0.25
    assert road.goodput_bps(12, 20) == pytest.approx(100_000, rel=0.05)


def test_after_a_step_up_the_link_is_full_again_within_five_seconds():
    road = Road(lambda now: 50_000 if now < 8 else 400_000).run(20)
    assert road.goodput_bps(13, 20) == pytest.approx(400_000, rel=0.05)
    assert road.longest_wait_s(8, 20) < 0.3


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_losses_of_the_air_are_no_reason_to_send_less(share):
    road = Road(lambda now: 100_000, lose=lossy(share)).run(30)
    assert road.goodput_bps(10, 30) > 0.93 * (1 - share) * 100_000
    assert road.longest_wait_s(8, 30) < 0.25


def test_losses_of_a_link_that_lets_nothing_wait_are_a_reason():
    """A packet that would wait for more than 40 ms is dropped: nothing but losses tells that the link is full."""
    road = Road(lambda now: 200_000, limit_s=0.04).run(30)
    assert road.goodput_bps(10, 30) > 0.9 * 200_000
    dropped = 1 - len(road.waits) / len(road._sent)
    assert dropped < 0.12


def test_in_silence_ever_fewer_packets_leave_and_reports_bring_the_rate_back():
    road = Road(lambda now: 100_000).run(25, silent=lambda now: 8 <= now < 15)
    assert sum(9 <= at < 15 for at in road._sent) < 12
    assert road.goodput_bps(18, 25) > 0.9 * 100_000


def test_an_outage_leaves_a_short_queue():
    """Nothing passes for four seconds: hardly more waits for it than was under way when reports failed to come."""
    road = Road(lambda now: 100_000)
    road._free_s = 0.0
    real_send = road._send

    def send(now):
        if road._free_s < 12 and now >= 8:
            road._free_s = 12.0
        return real_send(now)

    road._send = send
    road.run(20)
    assert sum(8 <= at < 12 for at in road._sent) * 8 * 1000 / 100_000 < 1.5
    assert road.longest_wait_s(14, 20) < 0.25
    assert road.goodput_bps(15, 20) > 0.9 * 100_000


@pytest.mark.parametrize("jump_s", [-3000.0, 3000.0])
def test_a_receiver_whose_clock_is_set_is_followed_on(jump_s):
    road = Road(lambda now: 100_000).run(8)
    road.clock_s += jump_s
    road.run(16)
    assert road.goodput_bps(10, 16) > 0.9 * 100_000
    assert road.longest_wait_s(11, 16) < 0.3


def test_what_was_known_of_a_link_gets_old():
    road = Road(lambda now: 2e6).run(10)
    assert road.control.rate_bps > 1e6
    road.control.sent(10.5 + 300)
    assert road.control.rate_bps == START_BPS


def test_no_report_however_wrong_leads_beyond_the_bounds():
    control = RateController(0.25)
    for number in range(200):
        control.sent(float(number))
        clock = (-1e6, 0.0, 1e6, 4e6)[number % 4]
        arrival = Arrival(float(number), clock, 1e9 * (number % 2), 1, 10**9 * (number % 3), 0, 1, 1, float(number))
        control.take(arrival, number + 0.5)
        assert LEAST_BPS <= control.rate_bps <= MOST_BPS
        assert 0 < control.pace_bps(1100, number + 0.9) <= MOST_BPS
