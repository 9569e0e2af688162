from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.traces import DeliveryOpportunities, RateOverTime, read_trace
from channel_sim.transmission import AtOpportunities, AtRateOverTime, Transmitter
from progressive.errors import UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "link.trace"
    path.write_text(text)
    return path


def ends(transmitter: Transmitter, packets: list[tuple[float, int]]) -> list[float]:
    return [transmitter.transmit(size, transmitter.begins_at(now)).end_s for now, size in packets]


def test_a_mahimahi_trace_lets_1500_bytes_pass_at_each_of_its_times_and_repeats(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "5\n5\n10\n"))
    assert isinstance(trace, DeliveryOpportunities)
    assert ends(AtOpportunities(trace), [(0.0, 1500)] * 7) == [0.005, 0.005, 0.010, 0.015, 0.015, 0.020, 0.025]
    assert trace.mean_bps == 3 * 1500 * 8 / 0.01


def test_what_waits_shares_an_opportunity_and_what_comes_later_does_not(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "5\n5\n10\n"))
    assert isinstance(trace, DeliveryOpportunities)
    # 1,000 + 500 of the second | its other 500 + 1,000 of the third | the fourth
    assert ends(AtOpportunities(trace), [(0.0, 1000)] * 4) == [0.005, 0.005, 0.005, 0.010]
    assert ends(AtOpportunities(trace), [(0.005, 500), (0.006, 500), (0.010, 500)]) == [0.005, 0.010, 0.010]
    assert ends(AtOpportunities(trace), [(0.0, 4000), (0.0, 501)]) == [0.010, 0.015]
    assert ends(AtOpportunities(trace), [(0.010, 1500), (0.010, 1500)]) == [0.010, 0.015]


def test_the_readmes_fixed_rate_trace_passes_a_packet_each_millisecond(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "1\n"))
    assert isinstance(trace, DeliveryOpportunities)
    assert ends(AtOpportunities(trace), [(0.0, 1500)] * 3) == [0.001, 0.002, 0.003]
    assert trace.mean_bps == 12e6


def test_a_trace_that_starts_at_zero_delivers_at_once(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "0\n4\n"))
    assert isinstance(trace, DeliveryOpportunities)
    assert ends(AtOpportunities(trace), [(0.0, 1500)] * 5) == [0.0, 0.004, 0.004, 0.008, 0.008]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=20).map(sorted),
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(1, 3000)), max_size=20),
)
def test_no_opportunity_carries_more_than_1500_bytes_and_none_comes_too_early(
    at_ms: list[int], packets: list[tuple[float, int]]
) -> None:
    at_ms[-1] = max(at_ms[-1], 1)
    trace = DeliveryOpportunities("t", np.array(at_ms))
    transmitter, now, last, total = AtOpportunities(trace), 0.0, 0.0, 0
    for wait, size in packets:
        now += wait
        total += size
        begin = transmitter.begins_at(now)
        end = transmitter.transmit(size, begin).end_s
        assert end >= max(now - 1e-9, last)
        assert end >= begin
        opportunities = sum(trace.time_s(n) <= end for n in range(trace.at_or_after(end) + len(at_ms) + 1))
        assert total <= 1500 * opportunities
        last = end


def test_a_throughput_log_sends_at_the_rate_measured_until_each_line(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "10.0 99\n11.0\t8\n12.0 0\n14.0 4.0\n"))
    assert isinstance(trace, RateOverTime)
    assert trace.length_s == 4
    assert trace.mean_bps == 16e6 / 4
    # A megabyte is 8 Mbit: a second at 8 Mbit/s; nothing for a second; two seconds at 4 Mbit/s; and again.
    assert ends(AtRateOverTime(trace), [(0.0, 10**6)] * 4) == pytest.approx([1, 4, 5, 8])
    assert ends(AtRateOverTime(trace), [(0.5, 10**6)]) == pytest.approx([3.0])
    assert ends(AtRateOverTime(trace), [(1.2, 500_000), (1.2, 2_500_000)]) == pytest.approx([3.0, 8.0])
    assert ends(AtRateOverTime(trace), [(0.0, 20 * 2_000_000)]) == pytest.approx([80.0])
    assert trace.rate_bps(np.array([0.0, 0.5, 1.5, 6.5])) == pytest.approx([8e6, 4e6, 18e6 / 5])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no trace"),
        ("\n \n", "holds no trace"),
        ("5\n7\n6\n", "line 3: '6'.*times never fall, the line before says 7"),
        ("5\n\n-1\n", "line 3: '-1'.*milliseconds"),
        ("5\n5.5\n", "line 2: '5.5'.*milliseconds"),
        ("5\nx\n", "line 2: 'x'"),
        ("5\n6 7\n", "line 2: '6 7'"),
        ("5\n\xff\n", "line 2"),
        ("0\n0\n", "line 2: the trace ends at 0 ms"),
        ("1 2\n2 x\n", "line 2: '2 x'.*seconds and Mbit/s"),
        ("1 2\n2\n", "line 2: '2'.*seconds and Mbit/s"),
        ("1 2\n2 -1\n", "line 2: '2 -1'.*0 to 1e\\+09 Mbit/s"),
        ("1 2\n2 nan\n", "line 2"),
        ("1 2\n2 inf\n", "line 2: '2 inf'"),
        ("-1e308 1\n1e308 1\n", "line 1: '-1e308 1'.*seconds up to 1e\\+12"),
        ("1 2\n1 3\n", "line 2: '1 3'.*times must rise"),
        ("1 2\n", "line 1: the log ends without a rate"),
        ("1 2\n2 0\n", "line 2: the log ends without a rate"),
        ("1 2 3\n", "line 1: '1 2 3'"),
    ],
)
def test_a_broken_trace_names_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.trace"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=says) as refusal:
        read_trace(path)
    assert "broken.trace" in str(refusal.value)


def test_a_missing_trace_is_looked_for_among_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"cannot read nowhere/link\.trace"):
        read_trace(Path("nowhere/link.trace"))
    written(tmp_path, "1\n")
    monkeypatch.setenv("PROGRESSIVE_DATA", str(tmp_path))
    assert read_trace(Path("link.trace")).length_s == 0.001
