import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from benchmarks import _clocks
from benchmarks._clocks import Stopwatch, cost_of, entropy_coding_timed, peak_memory_mb
from progressive.exact.coders import RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.tables import TOTAL, FrequencyTable


class Clock:
    """A clock that moves only when work says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def work(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now_s)
    return clock


def test_a_call_within_a_watched_one_counts_once(clock: Clock) -> None:
    watch = Stopwatch()
    inner = watch.around(partial(clock.work, 1))

    def outer() -> None:
        clock.work(2)
        inner()

    watch.around(outer)()
    clock.work(100)
    assert watch.total_ms == 3000


def test_a_watched_call_that_fails_is_counted_and_fails(clock: Clock) -> None:
    watch = Stopwatch()

    def fail() -> None:
        clock.work(5)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        watch.around(fail)()
    assert watch.total_ms == 5000


def test_warm_up_memory_call_and_preparation_are_not_timed(clock: Clock) -> None:
    def calls() -> Iterator[partial[None]]:
        for seconds in (1000, 1, 2, 3, 1000):
            clock.work(50)
            yield partial(clock.work, seconds)

    cost = cost_of(calls())
    assert cost.median_ms == 2000
    assert cost.late_ms == pytest.approx(2800)
    assert cost.entropy_share == 0


def test_the_share_is_that_of_the_coders(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def to_bytes(self: RangeSymbolEncoder) -> bytes:
        clock.work(3)
        return b""

    monkeypatch.setattr(RangeSymbolEncoder, "to_bytes", to_bytes)
    encoder = RangeSymbolEncoder({})

    def call() -> None:
        clock.work(1)
        encoder.to_bytes()

    assert cost_of([call] * 4).entropy_share == 0.75
    assert RangeSymbolEncoder.to_bytes is to_bytes


def test_watched_coders_still_code() -> None:
    tables = {"coin": FrequencyTable(np.array([[TOTAL // 4, TOTAL - TOTAL // 4]]))}
    rows, symbols = np.zeros(50, np.intp), np.arange(50, dtype=np.int32) % 2
    with entropy_coding_timed() as watch:
        encoder = RangeSymbolEncoder(tables)
        encoder.code("coin", rows, symbols, rows)
        decoded = RangeSymbolDecoder(tables, encoder.to_bytes()).code("coin", rows, np.zeros_like(symbols), rows)
    assert (decoded == symbols).all()
    assert watch.total_ms > 0


def test_memory_of_a_call_is_what_it_takes_at_most() -> None:
    peak = peak_memory_mb(lambda: [np.ones(80 << 17), None][1])
    if peak is None:
        pytest.skip("this system does not tell")
    assert 75 < peak < 120


def test_without_linux_memory_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clocks, "_restart_peak_mb", lambda: None)
    assert peak_memory_mb(lambda: None) is None
