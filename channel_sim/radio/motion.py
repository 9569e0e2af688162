"""Motion of a receiver: its distance from the transmitter, and the way it has travelled, over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from channel_sim.radio.bounds import check_range
from progressive.errors import UsageError
from progressive.units import format_distance, format_speed

EARTH_RADIUS_M = 6_371e3
EARTH_GRAVITATION = 3.986004418e14
"""Standard gravitational parameter, m^3/s^2."""

Floats = NDArray[np.float64]


class Motion(Protocol):
    """A way through space; all are frozen settings that check themselves and print as one line."""

    @property
    def speed_mps(self) -> float:
        """How fast the receiver moves among what surrounds it, at its fastest: what spreads the Doppler spectrum."""
        ...

    def distance_m(self, times_s: Floats) -> Floats:
        """Distance from the transmitter at these times, of any shape; infinite where the Earth is in between."""
        ...

    def travelled_m(self, times_s: Floats) -> Floats:
        """Length of the receiver's own way since time 0: what shadowing depends on."""
        ...


@dataclass(frozen=True, slots=True)
class Straight:
    """At one speed along a straight line, or at rest.

    Fields:
        start_m: distance from the transmitter at time 0, 0 to 1000 km.
        speed_mps: 0 (the default, at rest) to 1000 m/s.
        heading_deg: 0 leaves the transmitter straight, 90 goes across, 180 comes straight towards it, passes it and
            leaves on the other side; 0 to 180.
    """

    start_m: float
    speed_mps: float = 0.0
    heading_deg: float = 0.0

    def __post_init__(self) -> None:
        check_range("a distance", self.start_m, 0, 1e6, "m")
        check_range("a speed", self.speed_mps, 0, 1000, "m/s")
        check_range("a heading", self.heading_deg, 0, 180, "degrees")

    def distance_m(self, times_s: Floats) -> Floats:
        away = self.start_m + self.travelled_m(times_s) * math.cos(math.radians(self.heading_deg))
        across = self.travelled_m(times_s) * math.sin(math.radians(self.heading_deg))
        return np.hypot(away, across)

    def travelled_m(self, times_s: Floats) -> Floats:
        return self.speed_mps * np.asarray(times_s)

    def __str__(self) -> str:
        if not self.speed_mps:
            return f"at {format_distance(self.start_m)}"
        way = {0.0: "away", 180.0: "approaching"}.get(self.heading_deg, f"heading {self.heading_deg:g} degrees")
        return f"from {format_distance(self.start_m)} at {format_speed(self.speed_mps, digits=3)}, {way}"


@dataclass(frozen=True, slots=True)
class Waypoints:
    """Straight from one measured or planned distance to the next; at rest before the first and after the last.

    Fields:
        times_s: strictly rising, at least two, in seconds.
        distances_m: from the transmitter, at each of these times, 0 to 1000 km.
    """

    times_s: tuple[float, ...]
    distances_m: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.distances_m) or len(self.times_s) < 2:
            raise UsageError("waypoints need at least two times, and a distance for each")
        if not all(earlier < later for earlier, later in zip(self.times_s, self.times_s[1:], strict=False)):
            raise UsageError("the times of waypoints must rise strictly")
        for distance_m in self.distances_m:
            check_range("a distance", distance_m, 0, 1e6, "m")
        check_range("a speed between waypoints", self.speed_mps, 0, 1000, "m/s")

    @property
    def speed_mps(self) -> float:
        return float(np.max(np.abs(np.diff(self.distances_m)) / np.diff(self.times_s)))

    def distance_m(self, times_s: Floats) -> Floats:
        return np.asarray(np.interp(times_s, self.times_s, self.distances_m))

    def travelled_m(self, times_s: Floats) -> Floats:
        travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.distances_m)))])
        return np.asarray(np.interp(times_s, self.times_s, travelled))

    def __str__(self) -> str:
        stops = ", ".join(
            f"{format_distance(distance_m, digits=4)} at {time_s:g} s"
            for time_s, distance_m in zip(self.times_s, self.distances_m, strict=True)
        )
        return f"by way of {stops}"


@dataclass(frozen=True, slots=True)
class SatellitePass:
    """A satellite on a circular orbit passes over a receiver at rest: it rises, culminates, sets.

    Two-body geometry on a round Earth that does not turn meanwhile. The Doppler shift of the whole signal, which
    receivers of satellites track, is taken as removed.

    Fields:
        altitude_m: of the orbit, 160 to 36,000 km.
        peak_elevation_deg: at culmination, 0 to 90.
        start_elevation_deg: at time 0, on the rise; 0 up to the peak.
    """

    altitude_m: float
    peak_elevation_deg: float = 90.0
    start_elevation_deg: float = 10.0

    def __post_init__(self) -> None:
        check_range("an orbit's altitude", self.altitude_m, 160e3, 36_000e3, "m")
        check_range("an elevation at culmination", self.peak_elevation_deg, 0, 90, "degrees")
        check_range("an elevation at the start", self.start_elevation_deg, 0, self.peak_elevation_deg, "degrees")

    @property
    def speed_mps(self) -> float:
        """Of the receiver, which rests."""
        return 0.0

    @property
    def culmination_s(self) -> float:
        """When the satellite is nearest."""
        peak, start = self._central_angle(self.peak_elevation_deg), self._central_angle(self.start_elevation_deg)
        return math.acos(min(1.0, math.cos(start) / math.cos(peak))) / self._orbital_rate

    def distance_m(self, times_s: Floats) -> Floats:
        """Slant range in metres; infinite while the satellite is below the horizon."""
        orbit_m = EARTH_RADIUS_M + self.altitude_m
        along = np.cos(self._orbital_rate * (np.asarray(times_s) - self.culmination_s))
        cosine = math.cos(self._central_angle(self.peak_elevation_deg)) * along
        slant_m = np.sqrt(EARTH_RADIUS_M**2 + orbit_m**2 - 2 * EARTH_RADIUS_M * orbit_m * cosine)
        above_horizon = orbit_m * cosine >= EARTH_RADIUS_M * (1 - 1e-12)
        return np.where(above_horizon, slant_m, np.inf)

    def travelled_m(self, times_s: Floats) -> Floats:
        return np.zeros_like(times_s, dtype=np.float64)

    @property
    def _orbital_rate(self) -> float:
        """Radians per second."""
        return math.sqrt(EARTH_GRAVITATION / (EARTH_RADIUS_M + self.altitude_m) ** 3)

    def _central_angle(self, elevation_deg: float) -> float:
        """Angle at the Earth's centre between receiver and satellite, in radians."""
        elevation = math.radians(elevation_deg)
        return math.acos(EARTH_RADIUS_M * math.cos(elevation) / (EARTH_RADIUS_M + self.altitude_m)) - elevation

    def __str__(self) -> str:
        return (
            f"satellite at {format_distance(self.altitude_m)}, {self.start_elevation_deg:g} degrees high at first, "
            f"{self.peak_elevation_deg:g} at most"
        )
