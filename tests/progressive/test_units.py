import contextlib
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive import units
from progressive.errors import UsageError


@pytest.mark.parametrize(
    ("text", "bandwidth_bps"),
    [
        ("50kbps", 50e3),
        ("50kbit/s", 50e3),
        ("50 kbit/s", 50e3),
        (" 50kb/s ", 50e3),
        ("6.25kB/s", 50e3),
        ("6.25kBps", 50e3),
        ("1.5Mbps", 1.5e6),
        ("2Gbps", 2e9),
        ("800bps", 800),
        (".5Mbps", 0.5e6),
        ("1e3bps", 1000),
    ],
)
def test_bandwidth_is_read_in_bits_per_second(text: str, bandwidth_bps: float) -> None:
    assert units.parse_bandwidth(text) == bandwidth_bps


@pytest.mark.parametrize(
    "text",
    ["50", "50k", "50kb", "50kB", "50KBPS", "50Kbps", "50mbps", "50kibps", "50  kbps", "5,0kbps", "1_000bps", "٥kbps"]
    + ["", " ", "kbps", "fast", "-1kbps", "0kbps", "nan", "nanbps", "inf", "infbps", "1e999bps", "9" * 1000 + "bps"],
)
def test_an_ambiguous_or_nonsense_bandwidth_is_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(UsageError, match="not a bandwidth.*50kbps, 50kbit/s.*6.25kB/s") as refusal:
        units.parse_bandwidth(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("text", "size"),
    [("1100", 1100), ("1200B", 1200), ("16kB", 16_000), ("1.5 MB", 1_500_000), ("10Mbit", 1_250_000), ("0B", 0)],
)
def test_size_is_read_in_bytes(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["20k", "20kb", "20KB", "1.5B", "1.5", "3bit", "-1B", "1e300B", "KiB", ""])
def test_size_refuses_what_is_ambiguous_or_no_whole_number_of_bytes(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(("text", "time_s"), [("80ms", 0.08), ("10s", 10), ("2min", 120), ("0s", 0), ("5 us", 5e-6)])
def test_time_is_read_in_seconds(text: str, time_s: float) -> None:
    assert units.parse_time(text) == time_s


@pytest.mark.parametrize("text", ["10", "-1s", "10S", "10m", "10sec", "inf", "1e999s"])
def test_time_refuses_what_has_no_unit_of_its_own(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        units.parse_time(text)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.1", 0.1), ("150%", 1.5), ("0", 0), ("7 %", 0.07)])
def test_percent_is_read_as_a_share(text: str, share: float) -> None:
    assert units.parse_percent(text) == share


@pytest.mark.parametrize("text", ["10", "1", "-5%", "%", "ten%"])
def test_percent_refuses_a_bare_number_that_may_be_either(text: str) -> None:
    with pytest.raises(UsageError, match="not a share"):
        units.parse_percent(text)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.parse_time, "100ns", 1e-7),
        (units.parse_power, "-3 dBm", -3),
        (units.parse_frequency, "10Hz", 10),
        (units.parse_frequency, "2.4 GHz", 2.4e9),
        (units.parse_frequency, "868MHz", 868e6),
        (units.parse_distance, "1.5km", 1500),
        (units.parse_distance, "0m", 0),
        (units.parse_speed, "1.4m/s", 1.4),
        (units.parse_speed, "36km/h", 10),
    ],
)
def test_what_a_radio_needs_is_read_in_base_units(parse: Callable[[str], float], text: str, value: float) -> None:
    assert parse(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("parse", [units.parse_frequency, units.parse_distance, units.parse_speed])
@pytest.mark.parametrize("text", ["-1Hz", "-5km/h", "-2m", "10", "10hz", "1mm", "5kph", "1e999GHz", ""])
def test_negative_and_unknown_quantities_of_a_radio_say_what_is_accepted(
    parse: Callable[[str], float], text: str
) -> None:
    with pytest.raises(UsageError, match="use a number of at least 0 and a unit"):
        parse(text)


def test_decibel_is_read_with_its_sign_and_needs_its_unit() -> None:
    assert units.parse_decibel("12dB") == 12
    assert units.parse_decibel("-3.5 dB") == -3.5
    for text in ("12", "12db", "12B", "infdB"):
        with pytest.raises(UsageError, match="not a level"):
            units.parse_decibel(text)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (units.format_bandwidth(50_000), "50 kbit/s"),
        (units.format_bandwidth(1.5e6), "1.5 Mbit/s"),
        (units.format_bandwidth(33_333.3333, digits=3), "33.3 kbit/s"),
        (units.format_bandwidth(123_456, digits=2), "120 kbit/s"),
        (units.format_size(1100), "1100 B"),
        (units.format_size(16_000), "16 kB"),
        (units.format_time(0.08), "80 ms"),
        (units.format_time(0), "0 s"),
        (units.format_time(90), "90 s"),
        (units.format_percent(0.07), "7%"),
        (units.format_time(3e-7), "300 ns"),
        (units.format_decibel(-3.5), "-3.5 dB"),
        (units.format_power(-3.5), "-3.5 dBm"),
        (units.format_frequency(868e6), "868 MHz"),
        (units.format_distance(1500), "1.5 km"),
        (units.format_speed(1.4), "1.4 m/s"),
    ],
)
def test_values_print_as_a_person_writes_them(printed: str, expected: str) -> None:
    assert printed == expected


POSITIVE = st.floats(min_value=1e-6, max_value=1e15)


@given(POSITIVE)
def test_quantities_parse_back_exactly(value: float) -> None:
    assert units.parse_bandwidth(units.format_bandwidth(value)) == value
    assert units.parse_time(units.format_time(value)) == value
    assert units.parse_percent(units.format_percent(value)) == value
    assert units.parse_frequency(units.format_frequency(value)) == value
    assert units.parse_distance(units.format_distance(value)) == value
    assert units.parse_speed(units.format_speed(value)) == value


@given(st.integers(0, 2**53))
def test_size_parses_back_exactly(size: int) -> None:
    assert units.parse_size(units.format_size(size)) == size


@given(st.floats(-1e6, 1e6))
def test_decibel_parses_back_exactly(level_db: float) -> None:
    assert abs(units.parse_decibel(units.format_decibel(level_db)) - level_db) <= 1e-12 * abs(level_db)


@given(POSITIVE, st.integers(1, 6))
def test_rounding_keeps_the_digits_asked_for(value: float, digits: int) -> None:
    rounded = units.parse_bandwidth(units.format_bandwidth(value, digits=digits))
    assert rounded == pytest.approx(value, rel=10.0 ** (1 - digits) / 2 + 1e-9)


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_usage_error(text: str) -> None:
    for parse in (
        units.parse_bandwidth,
        units.parse_size,
        units.parse_time,
        units.parse_percent,
        units.parse_decibel,
        units.parse_power,
        units.parse_frequency,
        units.parse_distance,
        units.parse_speed,
    ):
        with contextlib.suppress(UsageError):
            assert math.isfinite(parse(text))


def test_one_is_not_plural() -> None:
    assert [units.counted(number, "case") for number in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
