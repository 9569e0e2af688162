import math

import numpy as np
import pytest

from channel_sim.radio.motion import EARTH_RADIUS_M, Motion, SatellitePass, Straight, Waypoints
from channel_sim.radio.path_loss import FreeSpace, Hata, LogDistance, PathLoss, UrbanMacro, UrbanMicro

MODELS = [
    (FreeSpace(2e9), 1),
    (LogDistance(2e9, 3.5, reference_m=10), 10),
    (Hata(900e6), 1000),
    (Hata(200e6, environment="large city"), 1000),
    (UrbanMacro(2e9), 10),
    (UrbanMacro(2e9, line_of_sight=True), 10),
    (UrbanMicro(3.5e9), 10),
    (UrbanMicro(28e9, line_of_sight=True), 10),
]


@pytest.mark.parametrize(("model", "shortest_m"), MODELS, ids=str)
def test_loss_rises_with_distance_and_holds_below_the_shortest(model: PathLoss, shortest_m: float) -> None:
    losses_db = model.loss_db(np.geomspace(shortest_m, 20e3, 200))
    assert np.all(np.diff(losses_db) > 0)
    below = model.loss_db(np.array([[0.0, shortest_m / 2], [shortest_m, np.inf]]))
    assert below[0, 0] == below[0, 1] == below[1, 0] == losses_db[0]
    assert below[1, 1] == np.inf


def test_the_slope_is_the_exponent() -> None:
    at_10_m, at_1_km = LogDistance(868e6, 2.7).loss_db(np.array([10, 1000]))
    assert at_1_km - at_10_m == pytest.approx(54)


@pytest.mark.parametrize(
    ("seen", "hidden"),
    [(UrbanMacro(2e9, True), UrbanMacro(2e9)), (UrbanMicro(3.5e9, True), UrbanMicro(3.5e9))],
)
def test_an_obstacle_never_helps_and_the_break_point_leaves_no_step(seen: PathLoss, hidden: PathLoss) -> None:
    distance_m = np.geomspace(10, 5e3, 20_000)
    assert np.all(hidden.loss_db(distance_m) >= seen.loss_db(distance_m))
    assert np.max(np.diff(seen.loss_db(distance_m))) < 0.02


def test_hata_in_a_large_city_below_300_mhz() -> None:
    # 69.55 + 26.16 log10(200) - 13.82 log10(50) - (8.29 log10(1.54 * 3)^2 - 1.1) at 1 km
    loss_db = Hata(200e6, base_height_m=50, mobile_height_m=3, environment="large city").loss_db(np.array(1000.0))
    assert float(loss_db) == pytest.approx(69.55 + 60.195 - 23.480 - (3.661 - 1.1), abs=0.01)


def test_a_receiver_passes_its_transmitter() -> None:
    motion = Straight(30, speed_mps=10, heading_deg=180)
    assert motion.distance_m(np.array([0.0, 3.0, 5.0])) == pytest.approx([30, 0, 20], abs=1e-9)
    across = Straight(30, speed_mps=10, heading_deg=90)
    assert across.distance_m(np.array([0.0, 4.0])) == pytest.approx([30, 50])
    assert across.travelled_m(np.array([0.0, 4.0])) == pytest.approx([0, 40])


def test_waypoints_are_joined_and_their_ends_held() -> None:
    motion = Waypoints((10.0, 20.0, 40.0), (100.0, 300.0, 200.0))
    times_s = np.array([0.0, 15.0, 30.0, 99.0])
    assert motion.distance_m(times_s) == pytest.approx([100, 200, 250, 200])
    assert motion.travelled_m(times_s) == pytest.approx([0, 100, 250, 300])
    assert motion.speed_mps == 20


def test_a_satellite_rises_culminates_overhead_and_sets() -> None:
    motion = SatellitePass(600e3, peak_elevation_deg=90, start_elevation_deg=0)
    horizon_m = math.sqrt((EARTH_RADIUS_M + 600e3) ** 2 - EARTH_RADIUS_M**2)
    culmination_s = motion.culmination_s
    times_s = np.array([0.0, culmination_s, 2 * culmination_s - 1e-3, 2 * culmination_s + 1])
    assert motion.distance_m(times_s) == pytest.approx([horizon_m, 600e3, horizon_m, np.inf], rel=1e-5)
    # A circular orbit at 600 km takes 96.5 minutes; from horizon to horizon the satellite covers 48 degrees of it.
    arc_deg = 2 * math.degrees(math.acos(EARTH_RADIUS_M / (EARTH_RADIUS_M + 600e3)))
    assert 2 * culmination_s == pytest.approx(96.54 * 60 * arc_deg / 360, rel=1e-3)


def test_a_satellite_stays_as_low_as_its_peak() -> None:
    motion = SatellitePass(550e3, peak_elevation_deg=30, start_elevation_deg=10)
    nearest_m = float(np.min(motion.distance_m(np.linspace(0, 2 * motion.culmination_s, 1001))))
    # The law of sines: slant range at 30 degrees of elevation.
    orbit_m = EARTH_RADIUS_M + 550e3
    angle = math.acos(EARTH_RADIUS_M * math.cos(math.radians(30)) / orbit_m) - math.radians(30)
    assert nearest_m == pytest.approx(orbit_m * math.sin(angle) / math.cos(math.radians(30)), rel=1e-6)


@pytest.mark.parametrize(
    "motion", [Straight(5), Straight(5, 3), SatellitePass(550e3), Waypoints((0, 1), (5, 6))], ids=str
)
def test_motion_takes_times_of_any_shape(motion: Motion) -> None:
    times_s = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(motion.distance_m(times_s)[1], motion.distance_m(times_s[1]))
    assert motion.travelled_m(times_s).shape == (2, 3)
