import pytest

from sender.queue_delay import GENERATION_S, QueueDelay


def test_it_is_what_exceeds_the_least_delay_whatever_the_clocks():
    delays = QueueDelay()
    assert delays.take(-3000.0, 1000, 0.0, None) == 0
    assert delays.take(-2999.9, 1000, 0.1, None) == pytest.approx(0.1)
    assert delays.take(-3000.2, 1000, 0.2, None) == 0
    assert delays.take(-3000.0, 1000, 0.3, None) == pytest.approx(0.2)


def test_a_larger_packet_may_take_its_time_to_be_transmitted():
    """At 10 kbit/s 1,088 bytes take 0.82 s longer than 64."""
    delays = QueueDelay()
    delays.take(5.0, 64, 0.0, 10_000)
    assert delays.take(5.0 + 1024 * 8 / 10_000, 1088, 1.0, 10_000) == pytest.approx(0, abs=1e-9)
    assert delays.take(5.3, 64, 2.0, 10_000) == pytest.approx(0.3)
    assert delays.take(6.0 + 1024 * 8 / 10_000, 1088, 3.0, 10_000) == pytest.approx(1.0)


def test_without_a_rate_only_packets_of_a_size_are_compared():
    delays = QueueDelay()
    delays.take(5.0, 64, 0.0, None)
    assert delays.take(6.0, 1088, 1.0, None) == 0


def test_the_least_is_forgotten_when_it_is_old():
    delays = QueueDelay()
    delays.take(1.0, 500, 0.0, None)
    for number in range(1, 8):
        waited = delays.take(1.5, 500, number * GENERATION_S / 2, None)
    assert waited == 0
