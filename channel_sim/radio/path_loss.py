"""Path loss over distance: free space, log-distance, Hata, and 3GPP TR 38.901 UMa and UMi.

A distance shorter than a model's shortest loses what the shortest does, so that a receiver that passes its transmitter
gains no more than the model can tell; beyond the longest, the formula is carried on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from channel_sim.radio.bounds import check_range
from progressive.errors import UsageError
from progressive.units import format_distance, format_frequency

SPEED_OF_LIGHT_MPS = 299_792_458.0

Floats = NDArray[np.float64]
Environment = Literal["city", "large city", "suburb", "open"]


class PathLoss(Protocol):
    """A model of path loss; all are frozen settings that check themselves and print as one line."""

    @property
    def frequency_hz(self) -> float:
        """The carrier frequency."""
        ...

    def loss_db(self, distance_m: Floats) -> Floats:
        """Median path loss in dB over distances in metres, of any shape; infinite at infinite distance."""
        ...


def free_space_db(distance_m: Floats, frequency_hz: float) -> Floats:
    """20 log10(4 pi d / wavelength): H. T. Friis, "A note on a simple transmission formula", 1946."""
    return 20 * np.log10(4 * math.pi * distance_m * frequency_hz / SPEED_OF_LIGHT_MPS)


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """Nothing in the way. Distances are those between the antennas, at least 1 m.

    Fields:
        frequency_hz: 1 MHz to 1 THz.
    """

    frequency_hz: float

    def __post_init__(self) -> None:
        check_range("a carrier frequency", self.frequency_hz, 1e6, 1e12, "Hz")

    def loss_db(self, distance_m: Floats) -> Floats:
        return free_space_db(np.maximum(distance_m, 1.0), self.frequency_hz)

    def __str__(self) -> str:
        return f"free space at {format_frequency(self.frequency_hz)}"


@dataclass(frozen=True, slots=True)
class LogDistance:
    """Free space to a reference distance, beyond it 10 n log10(d / d0) more: T. S. Rappaport, "Wireless Communications:
    Principles and Practice", 2nd edition, eq. 4.68. Distances are at least the reference.

    Fields:
        frequency_hz: 1 MHz to 1 THz.
        exponent: n, 1 to 8; 2 is free space, 1.6 to 1.8 a corridor, 2.7 to 5 a city.
        reference_m: d0, 0.1 m to 10 km.
    """

    frequency_hz: float
    exponent: float
    reference_m: float = 1.0

    def __post_init__(self) -> None:
        check_range("a carrier frequency", self.frequency_hz, 1e6, 1e12, "Hz")
        check_range("a path loss exponent", self.exponent, 1, 8)
        check_range("a reference distance", self.reference_m, 0.1, 10e3, "m")

    def loss_db(self, distance_m: Floats) -> Floats:
        beyond = np.maximum(np.asarray(distance_m) / self.reference_m, 1.0)
        at_reference = free_space_db(np.asarray(self.reference_m), self.frequency_hz)
        return at_reference + 10 * self.exponent * np.log10(beyond)

    def __str__(self) -> str:
        return (
            f"log-distance loss at {format_frequency(self.frequency_hz)}, exponent {self.exponent:g} "
            f"beyond {format_distance(self.reference_m)}"
        )


@dataclass(frozen=True, slots=True)
class Hata:
    """Okumura's measurements as formulas: M. Hata, "Empirical formula for propagation loss in land mobile radio
    services", IEEE Trans. VT-29, 1980. Ground distances from 1 km (to 20 km).

    Fields:
        frequency_hz: 150 MHz to 1.5 GHz.
        base_height_m: of the base station's antenna over the ground, 30 to 200 m.
        mobile_height_m: of the receiver's, 1 to 10 m.
        environment: "city" (small or medium), "large city", "suburb" or "open".
    """

    frequency_hz: float
    base_height_m: float = 30.0
    mobile_height_m: float = 1.5
    environment: Environment = "city"

    def __post_init__(self) -> None:
        check_range("a carrier of Hata's model", self.frequency_hz, 150e6, 1.5e9, "Hz")
        check_range("a base antenna's height in Hata's model", self.base_height_m, 30, 200, "m")
        check_range("a receiver's height in Hata's model", self.mobile_height_m, 1, 10, "m")
        if self.environment not in {"city", "large city", "suburb", "open"}:
            raise UsageError(f"Hata's model knows no {self.environment!r}: use city, large city, suburb or open")

    def loss_db(self, distance_m: Floats) -> Floats:
        distance_km = np.maximum(distance_m, 1e3) / 1e3
        log_f, log_height = math.log10(self.frequency_hz / 1e6), math.log10(self.base_height_m)
        at_1_km = 69.55 + 26.16 * log_f - 13.82 * log_height - self._receiver_height_db(log_f)
        return at_1_km - self._clearing_db(log_f) + (44.9 - 6.55 * log_height) * np.log10(distance_km)

    def _receiver_height_db(self, log_f: float) -> float:
        """Hata's a(h_re)."""
        height = self.mobile_height_m
        if self.environment != "large city":
            return (1.1 * log_f - 0.7) * height - (1.56 * log_f - 0.8)
        if self.frequency_hz <= 300e6:
            return 8.29 * math.log10(1.54 * height) ** 2 - 1.1
        return 3.2 * math.log10(11.75 * height) ** 2 - 4.97

    def _clearing_db(self, log_f: float) -> float:
        """What fewer buildings spare."""
        if self.environment == "suburb":
            return 2 * (log_f - math.log10(28)) ** 2 + 5.4
        if self.environment == "open":
            return 4.78 * log_f**2 - 18.33 * log_f + 40.94
        return 0.0

    def __str__(self) -> str:
        antennas = _antennas(self.base_height_m, self.mobile_height_m, usually_m=30)
        return f"Hata's loss at {format_frequency(self.frequency_hz)}, {self.environment}{antennas}"


@dataclass(frozen=True, slots=True)
class UrbanMacro:
    """UMa, base stations above the roofs: 3GPP TR 38.901 table 7.4.1-1.

    Ground distances from 10 m (to 5 km).

    Fields:
        frequency_hz: 500 MHz to 100 GHz.
        line_of_sight: whether the base station is seen; the standard's shadowing deviates by 4 dB then, else 6 dB.
        base_height_m: 10 to 150 m; the standard's table is for 25 m.
        mobile_height_m: 1.5 to 13 m; above, the standard draws the height of the effective environment at random.
    """

    frequency_hz: float
    line_of_sight: bool = False
    base_height_m: float = 25.0
    mobile_height_m: float = 1.5

    def __post_init__(self) -> None:
        check_range("a carrier of 3GPP's UMa", self.frequency_hz, 500e6, 100e9, "Hz")
        check_range("a base antenna's height in 3GPP's UMa", self.base_height_m, 10, 150, "m")
        check_range("a receiver's height in 3GPP's UMa", self.mobile_height_m, 1.5, 13, "m")

    def loss_db(self, distance_m: Floats) -> Floats:
        ground_m = np.maximum(distance_m, 10.0)
        slant_m = np.hypot(ground_m, self.base_height_m - self.mobile_height_m)
        log_d, log_f = np.log10(slant_m), math.log10(self.frequency_hz / 1e9)
        break_m = _break_point_m(self.frequency_hz, self.base_height_m, self.mobile_height_m)
        rise = (self.base_height_m - self.mobile_height_m) ** 2
        beyond_break = 28 + 40 * log_d + 20 * log_f - 9 * math.log10(break_m**2 + rise)
        seen = np.where(ground_m <= break_m, 28 + 22 * log_d + 20 * log_f, beyond_break)
        if self.line_of_sight:
            return seen
        return np.maximum(seen, 13.54 + 39.08 * log_d + 20 * log_f - 0.6 * (self.mobile_height_m - 1.5))

    def __str__(self) -> str:
        antennas = _antennas(self.base_height_m, self.mobile_height_m, usually_m=25)
        return f"3GPP UMa loss at {format_frequency(self.frequency_hz)}, {_sight(self.line_of_sight)}{antennas}"


@dataclass(frozen=True, slots=True)
class UrbanMicro:
    """UMi street canyon, base stations below the roofs: 3GPP TR 38.901 table 7.4.1-1.

    Ground distances from 10 m (to 5 km).

    Fields:
        frequency_hz: 500 MHz to 100 GHz.
        line_of_sight: whether the base station is seen; the standard's shadowing deviates by 4 dB then, else 7.82 dB.
        base_height_m: 5 to 25 m; the standard's table is for 10 m.
        mobile_height_m: 1.5 to 22.5 m.
    """

    frequency_hz: float
    line_of_sight: bool = False
    base_height_m: float = 10.0
    mobile_height_m: float = 1.5

    def __post_init__(self) -> None:
        check_range("a carrier of 3GPP's UMi", self.frequency_hz, 500e6, 100e9, "Hz")
        check_range("a base antenna's height in 3GPP's UMi", self.base_height_m, 5, 25, "m")
        check_range("a receiver's height in 3GPP's UMi", self.mobile_height_m, 1.5, 22.5, "m")

    def loss_db(self, distance_m: Floats) -> Floats:
        ground_m = np.maximum(distance_m, 10.0)
        slant_m = np.hypot(ground_m, self.base_height_m - self.mobile_height_m)
        log_d, log_f = np.log10(slant_m), math.log10(self.frequency_hz / 1e9)
        break_m = _break_point_m(self.frequency_hz, self.base_height_m, self.mobile_height_m)
        rise = (self.base_height_m - self.mobile_height_m) ** 2
        beyond_break = 32.4 + 40 * log_d + 20 * log_f - 9.5 * math.log10(break_m**2 + rise)
        seen = np.where(ground_m <= break_m, 32.4 + 21 * log_d + 20 * log_f, beyond_break)
        if self.line_of_sight:
            return seen
        return np.maximum(seen, 22.4 + 35.3 * log_d + 21.3 * log_f - 0.3 * (self.mobile_height_m - 1.5))

    def __str__(self) -> str:
        antennas = _antennas(self.base_height_m, self.mobile_height_m, usually_m=10)
        return f"3GPP UMi loss at {format_frequency(self.frequency_hz)}, {_sight(self.line_of_sight)}{antennas}"


def _break_point_m(frequency_hz: float, base_height_m: float, mobile_height_m: float) -> float:
    """Where the ray off the ground begins to cancel the direct one: note 1 of the table, environment 1 m high."""
    return 4 * (base_height_m - 1) * (mobile_height_m - 1) * frequency_hz / SPEED_OF_LIGHT_MPS


def _sight(line_of_sight: bool) -> str:
    return "line of sight" if line_of_sight else "no line of sight"


def _antennas(base_m: float, mobile_m: float, *, usually_m: float) -> str:
    """Heights, where they are not the defaults."""
    if (base_m, mobile_m) == (usually_m, 1.5):
        return ""
    return f", antennas at {format_distance(base_m)} and {format_distance(mobile_m)}"
