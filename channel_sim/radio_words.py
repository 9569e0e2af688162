"""The words for what happens in the air: fading, link budget, shadowing, motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channel_sim.radio.motion import SatellitePass, Straight, Waypoints
from channel_sim.radio.path_loss import FreeSpace, Hata, LogDistance, UrbanMacro, UrbanMicro
from channel_sim.radio.settings import Budget, Nakagami, Rayleigh, Rician, Shadowing, TappedDelayLine, Variation
from channel_sim.words import Fields, Kind, Parser, degrees, number, one_of
from progressive.errors import UsageError
from progressive.units import (
    parse_decibel,
    parse_distance,
    parse_frequency,
    parse_power,
    parse_speed,
    parse_time,
)

Keys = Mapping[str, tuple[str, Parser]]

_SNR: Keys = {"snr": ("mean_snr_db", parse_decibel)}
_VARIATION: Keys = {"doppler": ("doppler_hz", parse_frequency), "block": ("block_s", parse_time)}
_BUDGET: Keys = {
    "power": ("power_dbm", parse_power),
    "bandwidth": ("bandwidth_hz", parse_frequency),
    "gains": ("gains_db", parse_decibel),
    "noise": ("noise_figure_db", parse_decibel),
}
_FREQUENCY: Keys = {"frequency": ("frequency_hz", parse_frequency)}
_HEIGHTS: Keys = {"base": ("base_height_m", parse_distance), "mobile": ("mobile_height_m", parse_distance)}
_SIGHT: Keys = {"sight": ("line_of_sight", one_of(los=True, nlos=False))}


def _take(fields: Fields, keys: Keys) -> Fields:
    """Moves the fields of these keys out."""
    return {name: fields.pop(name) for name, _ in keys.values() if name in fields}


def _fading(make: Callable[..., Any], example: str, keys: Keys, first: str) -> Kind:
    """A kind of fading with keys of its own, a mean SNR and a variation over time."""

    def build(fields: Fields) -> Fields:
        mean, variation = _take(fields, _SNR), _take(fields, _VARIATION)
        return {"fading": make(**fields, variation=Variation(**variation)), **mean}

    return Kind(example, {**keys, **_SNR, **_VARIATION}, build, first, [first] if first in keys else [])


def _path_loss(make: Callable[..., Any], example: str, keys: Keys, *required: str) -> Kind:
    """A model of path loss with keys of its own, and the rest of the link budget."""

    def build(fields: Fields) -> Fields:
        budget = _take(fields, _BUDGET)
        return {"budget": Budget(make(**fields), **budget)}

    return Kind(
        example, {**_FREQUENCY, **keys, **_BUDGET}, build, "frequency", ["frequency", *required, "power", "bandwidth"]
    )


def _waypoints(fields: Fields) -> Fields:
    stops = fields["stops"]
    return {"motion": Waypoints(tuple(time_s for time_s, _ in stops), tuple(distance_m for _, distance_m in stops))}


def _stops(text: str) -> list[tuple[float, float]]:
    """`0s@100m/60s@400m` in seconds and metres."""
    stops = []
    for stop in text.split("/"):
        time, at, distance = stop.partition("@")
        if not at:
            raise UsageError(f"{stop[:40]!r} is no waypoint: use TIME@DISTANCE/TIME@DISTANCE, such as 0s@100m/60s@400m")
        stops.append((parse_time(time), parse_distance(distance)))
    return stops


def _profile(text: str) -> str:
    return text.upper().removeprefix("TDL-")


RADIO_KINDS: dict[str, Kind] = {
    "awgn": Kind("awgn:snr=10dB", _SNR, lambda fields: fields, "snr", ["snr"]),
    "rayleigh": _fading(Rayleigh, "rayleigh:snr=12dB,doppler=10Hz", {}, "snr"),
    "rician": _fading(
        Rician,
        "rician:k=6dB,snr=12dB,doppler=10Hz",
        {"k": ("k_db", parse_decibel), "angle": ("los_angle_deg", degrees)},
        "k",
    ),
    "nakagami": _fading(
        Nakagami,
        "nakagami:m=2,snr=12dB,block=5ms",
        {"m": ("m", number("a Nakagami shape: use m=0.5 to m=20, where 1 is Rayleigh fading"))},
        "m",
    ),
    "tdl": _fading(
        TappedDelayLine,
        "tdl:A,spread=100ns,bandwidth=1MHz,snr=12dB,doppler=10Hz",
        {
            "profile": ("profile", _profile),
            "spread": ("delay_spread_s", parse_time),
            "bandwidth": ("bandwidth_hz", parse_frequency),
            "beta": ("beta", number("a beta of the exponential effective SNR: use 0.1 to 1000")),
        },
        "profile",
    ),
    "freespace": _path_loss(
        FreeSpace, "freespace:frequency=2.4GHz,power=20dBm,bandwidth=20MHz,gains=3dB,noise=6dB", {}
    ),
    "logdistance": _path_loss(
        LogDistance,
        "logdistance:frequency=868MHz,exponent=3,power=14dBm,bandwidth=125kHz",
        {
            "exponent": ("exponent", number("a path loss exponent: use 1 to 8, where 2 is free space")),
            "reference": ("reference_m", parse_distance),
        },
        "exponent",
    ),
    "hata": _path_loss(
        Hata,
        "hata:frequency=900MHz,environment=suburb,base=30m,power=43dBm,bandwidth=180kHz",
        {
            **_HEIGHTS,
            "environment": ("environment", str),
        },
    ),
    "uma": _path_loss(UrbanMacro, "uma:frequency=2GHz,sight=nlos,power=46dBm,bandwidth=180kHz", {**_HEIGHTS, **_SIGHT}),
    "umi": _path_loss(UrbanMicro, "umi:frequency=2GHz,sight=los,power=30dBm,bandwidth=180kHz", {**_HEIGHTS, **_SIGHT}),
    "shadowing": Kind(
        "shadowing:deviation=6dB,distance=50m",
        {"deviation": ("deviation_db", parse_decibel), "distance": ("correlation_m", parse_distance)},
        lambda fields: {"shadowing": Shadowing(**fields)},
        "deviation",
        ["deviation"],
    ),
    "motion": Kind(
        "motion:from=100m,speed=5km/h,heading=90deg",
        {"from": ("start_m", parse_distance), "speed": ("speed_mps", parse_speed), "heading": ("heading_deg", degrees)},
        lambda fields: {"motion": Straight(**{"start_m": 0.0} | fields)},
    ),
    "waypoints": Kind("waypoints:0s@100m/60s@400m", {"stops": ("stops", _stops)}, _waypoints, "stops", ["stops"]),
    "orbit": Kind(
        "orbit:altitude=550km,peak=60deg,start=10deg",
        {
            "altitude": ("altitude_m", parse_distance),
            "peak": ("peak_elevation_deg", degrees),
            "start": ("start_elevation_deg", degrees),
        },
        lambda fields: {"motion": SatellitePass(**fields)},
        "altitude",
        ["altitude"],
    ),
}
"""Kinds of parts of a radio channel."""

RADIO_FIELDS = {
    "mean_snr_db": "SNR",
    "budget": "path loss",
    "motion": "motion",
    "shadowing": "shadowing",
    "fading": "fading",
}
"""Fields of a radio channel, in words."""
