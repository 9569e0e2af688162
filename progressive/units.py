"""Quantities with their units: parsed once from what a person typed, printed so that they parse back.

A bit is `b` or `bit`, a byte is `B`; prefixes are decimal (k = 1000) and, like all units, case-sensitive. What could
be read in two ways, such as `50k` or `50KBPS`, is refused with the accepted forms. A space before the unit is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from progressive.errors import UsageError

_NUMBER_AND_UNIT = re.compile(
    r"""(?P<number>[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?)\s?(?P<unit>[A-Za-z%/]*)""",
)
_PREFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_LARGEST_SIZE = 2**53  # the largest that a float, and so every reader of our JSON, holds exactly


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A kind of quantity: how it is called, its units as multiples of the base unit, and what to type instead."""

    name: str
    units: Mapping[str, Decimal]
    accepted: str

    def parse(self, text: str) -> Decimal:
        """The quantity in its base unit; raises UsageError with the accepted forms."""
        match = _NUMBER_AND_UNIT.fullmatch(text.strip())
        if match is None or match["unit"] not in self.units:
            raise self.refusal(text)
        return Decimal(match["number"]) * self.units[match["unit"]]

    def refusal(self, text: str, reason: str = "") -> UsageError:
        because = f" ({reason})" if reason else ""
        return UsageError(f"{text[:40]!r} is not a {self.name}{because}: use {self.accepted}")

    def format(self, value: float, ladder: Mapping[str, float], digits: int | None) -> str:
        """The value in the largest unit of the ladder that it reaches, each given with where its use starts."""
        unit = [unit for unit, start in ladder.items() if abs(value) >= start][-1]
        exact = Decimal(repr(float(value))) / self.units[unit]
        rounded = exact if digits is None else Decimal(f"{exact:.{digits}g}")
        text = f"{rounded.normalize():f}" if rounded == 0 or 1e-6 <= abs(rounded) < 1e18 else str(rounded)
        separator = "" if unit == "%" else " "
        return f"{text}{separator}{unit}"


def _with_prefixes(units: Mapping[str, str]) -> dict[str, Decimal]:
    return {
        prefix + unit: Decimal(scale) * factor for unit, scale in units.items() for prefix, factor in _PREFIXES.items()
    }


_BANDWIDTH = _Quantity(
    "bandwidth",
    _with_prefixes({"bps": "1", "b/s": "1", "bit/s": "1", "Bps": "8", "B/s": "8"}),
    "a number above zero and a unit such as 50kbps, 50kbit/s or 1.5Mbps (bits), 6.25kB/s (bytes)",
)
_SIZE = _Quantity(
    "size",
    {"": Decimal(1), **_with_prefixes({"B": "1", "bit": "0.125"})},
    "whole bytes such as 1200, 1200B, 16kB, 1.5MB, or 80kbit",
)
_TIME = _Quantity(
    "time",
    {
        "ns": Decimal("1e-9"),
        "us": Decimal("1e-6"),
        "ms": Decimal("1e-3"),
        "s": Decimal(1),
        "min": Decimal(60),
        "h": Decimal(3600),
    },
    "a number of at least 0 and a unit such as 80ms, 10s or 2min",
)
_PERCENT = _Quantity(
    "share",
    {"": Decimal(1), "%": Decimal("0.01")},
    "a percentage of at least 0% such as 10%, or a share such as 0.1",
)
_FREQUENCY = _Quantity(
    "frequency", _with_prefixes({"Hz": "1"}), "a number of at least 0 and a unit such as 10Hz, 200kHz or 2.4GHz"
)
_DISTANCE = _Quantity(
    "distance", {"m": Decimal(1), "km": Decimal(1000)}, "a number of at least 0 and a unit such as 50m or 1.5km"
)
_SPEED = _Quantity(
    "speed",
    {"m/s": Decimal(1), "km/h": 1 / Decimal("3.6")},
    "a number of at least 0 and a unit such as 1.4m/s or 5km/h",
)
_POWER = _Quantity("power", {"dBm": Decimal(1)}, "a number and dBm, such as 20dBm or -3dBm (1 mW is 0dBm)")
_DECIBEL = _Quantity("level in decibel", {"dB": Decimal(1)}, "a number and dB, such as 12dB or -3.5dB")


def parse_bandwidth(text: str) -> float:
    """Bits per second of `50kbps`, `50 kbit/s`, `6.25kB/s`; raises UsageError, for zero or less too."""
    bandwidth_bps = float(_BANDWIDTH.parse(text))
    if not 0 < bandwidth_bps < math.inf:
        raise _BANDWIDTH.refusal(text)
    return bandwidth_bps


def parse_size(text: str) -> int:
    """Bytes of `1200`, `1200B`, `16kB`, `80kbit`; raises UsageError if negative or not a whole number of bytes."""
    size = _SIZE.parse(text)
    if not 0 <= size <= _LARGEST_SIZE or size != size.to_integral_value():
        raise _SIZE.refusal(text)
    return int(size)


def parse_time(text: str) -> float:
    """Seconds of `80ms`, `10s`, `2min`; raises UsageError if negative."""
    return _at_least_zero(_TIME, text)


def parse_percent(text: str) -> float:
    """The share that `10%` or `0.1` stands for, at least 0; raises UsageError for a bare number of 1 or more."""
    share = float(_PERCENT.parse(text))
    if not 0 <= share < math.inf:
        raise _PERCENT.refusal(text)
    if share >= 1 and "%" not in text:
        raise _PERCENT.refusal(text, "without % it must be below 1")
    return share


def parse_frequency(text: str) -> float:
    """Hertz of `10Hz`, `200kHz`, `2.4GHz`; raises UsageError if negative."""
    return _at_least_zero(_FREQUENCY, text)


def parse_distance(text: str) -> float:
    """Metres of `50m`, `1.5km`; raises UsageError if negative."""
    return _at_least_zero(_DISTANCE, text)


def parse_speed(text: str) -> float:
    """Metres per second of `1.4m/s`, `5km/h`; raises UsageError if negative."""
    return _at_least_zero(_SPEED, text)


def _at_least_zero(quantity: _Quantity, text: str) -> float:
    value = float(quantity.parse(text))
    if not 0 <= value < math.inf:
        raise quantity.refusal(text)
    return value


def parse_decibel(text: str) -> float:
    """The level of `12dB`, in dB; raises UsageError."""
    return _finite(_DECIBEL, text)


def parse_power(text: str) -> float:
    """The power of `20dBm`, in dBm; raises UsageError."""
    return _finite(_POWER, text)


def _finite(level: _Quantity, text: str) -> float:
    value = float(level.parse(text))
    if not math.isfinite(value):
        raise level.refusal(text)
    return value


def format_bandwidth(bandwidth_bps: float, *, digits: int | None = None) -> str:
    """`50 kbit/s`: exact, or with this many significant digits."""
    return _BANDWIDTH.format(bandwidth_bps, {"bit/s": 0, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}, digits)


def format_size(size: int, *, digits: int | None = None) -> str:
    """`1100 B`, `16 kB`: exact, or with this many significant digits."""
    return _SIZE.format(size, {"B": 0, "kB": 1e4, "MB": 1e6, "GB": 1e9}, digits)


def format_time(time_s: float, *, digits: int | None = None) -> str:
    """`80 ms`, `10 s`: exact, or with this many significant digits."""
    if time_s == 0:
        return "0 s"
    return _TIME.format(time_s, {"ns": 0, "us": 1e-6, "ms": 1e-3, "s": 1}, digits)


def format_percent(share: float, *, digits: int | None = None) -> str:
    """`10%`: exact, or with this many significant digits."""
    return _PERCENT.format(share, {"%": 0}, digits)


def format_decibel(level_db: float, *, digits: int | None = None) -> str:
    """`12 dB`: exact, or with this many significant digits."""
    return _DECIBEL.format(level_db, {"dB": 0}, digits)


def format_power(power_dbm: float, *, digits: int | None = None) -> str:
    """`20 dBm`: exact, or with this many significant digits."""
    return _POWER.format(power_dbm, {"dBm": 0}, digits)


def format_frequency(frequency_hz: float, *, digits: int | None = None) -> str:
    """`10 Hz`, `2.4 GHz`: exact, or with this many significant digits."""
    return _FREQUENCY.format(frequency_hz, {"Hz": 0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}, digits)


def format_distance(distance_m: float, *, digits: int | None = None) -> str:
    """`50 m`, `1.5 km`: exact, or with this many significant digits."""
    return _DISTANCE.format(distance_m, {"m": 0, "km": 1e3}, digits)


def format_speed(speed_mps: float, *, digits: int | None = None) -> str:
    """`1.4 m/s`: exact, or with this many significant digits."""
    return _SPEED.format(speed_mps, {"m/s": 0}, digits)


def counted(number: int, noun: str) -> str:
    """Such as `1 case` or `2 cases`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
