from collections.abc import Callable
from typing import Any

import pytest

from channel_sim.radio.motion import SatellitePass, Straight, Waypoints
from channel_sim.radio.path_loss import FreeSpace, Hata, LogDistance, UrbanMacro, UrbanMicro
from channel_sim.radio.settings import (
    Budget,
    Nakagami,
    Radio,
    Rayleigh,
    Rician,
    Shadowing,
    TappedDelayLine,
    Variation,
)
from progressive.errors import UsageError

BUDGET = Budget(FreeSpace(2.4e9), power_dbm=20, bandwidth_hz=20e6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Variation(doppler_hz=-1), r"Doppler frequency of -1 Hz is out of range: use 0 to 100000 Hz"),
        (lambda: Variation(block_s=0), r"fading block of 0 s is out of range: use 1e-06 to 3600 s"),
        (lambda: Variation(doppler_hz=1, block_s=1), "give one of them"),
        (lambda: Rician(50), r"K factor of 50 dB is out of range: use -40 to 40 dB"),
        (lambda: Rician(3, los_angle_deg=200), "use 0 to 180 degrees"),
        (lambda: Nakagami(0.4), r"m of 0.4 is out of range: use 0.5 to 20"),
        (lambda: Nakagami(float("nan")), "use 0.5 to 20"),
        (lambda: TappedDelayLine("F"), "no profile TDL-F: use A, B, C, D or E"),  # type: ignore[arg-type]
        (lambda: TappedDelayLine("A", 1.0), "use 0 to 1e-05 s"),
        (lambda: TappedDelayLine("A", beta=0), "use 0.1 to 1000"),
        (lambda: Shadowing(-1), "use 0 to 30 dB"),
        (lambda: Shadowing(8, 0), "use 0.1 to 100000 m"),
        (lambda: Budget(FreeSpace(1e9), power_dbm=200, bandwidth_hz=1e6), "use -100 to 100 dBm"),
        (lambda: Budget(FreeSpace(1e9), power_dbm=20, bandwidth_hz=0), "use 1 to 1e\\+10 Hz"),
        (lambda: FreeSpace(0), "use 1e\\+06 to 1e\\+12 Hz"),
        (lambda: LogDistance(1e9, 0.5), "use 1 to 8"),
        (lambda: Hata(2e9), "use 1.5e\\+08 to 1.5e\\+09 Hz"),
        (lambda: Hata(900e6, base_height_m=10), "use 30 to 200 m"),
        (lambda: Hata(900e6, environment="forest"), "use city, large city, suburb or open"),  # type: ignore[arg-type]
        (lambda: UrbanMacro(2e9, mobile_height_m=20), "use 1.5 to 13 m"),
        (lambda: UrbanMicro(1e8), "use 5e\\+08 to 1e\\+11 Hz"),
        (lambda: Straight(10, speed_mps=-1), r"speed of -1 m/s is out of range: use 0 to 1000 m/s"),
        (lambda: Straight(-1), "use 0 to 1e\\+06 m"),
        (lambda: Waypoints((0.0,), (1.0,)), "at least two times"),
        (lambda: Waypoints((0.0, 0.0), (1.0, 2.0)), "must rise strictly"),
        (lambda: SatellitePass(100e3), "use 160000 to 3.6e\\+07 m"),
        (lambda: SatellitePass(600e3, 30, 40), "use 0 to 30 degrees"),
        (Radio, "either a mean SNR or a link budget"),
        (lambda: Radio(mean_snr_db=10, budget=BUDGET, motion=Straight(10)), "either a mean SNR or a link budget"),
        (lambda: Radio(mean_snr_db=300), "use -100 to 100 dB"),
        (lambda: Radio(budget=BUDGET), "say how far away"),
        (lambda: Radio(mean_snr_db=10, fading=Rayleigh()), "needs a Doppler frequency"),
        (
            lambda: Radio(mean_snr_db=10, fading=TappedDelayLine("A", variation=Variation(doppler_hz=1))),
            "needs the bandwidth",
        ),
    ],
)
def test_what_cannot_be_says_what_can(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_doppler_follows_from_speed_and_carrier_unless_stated() -> None:
    moving = Straight(100, speed_mps=30)
    assert Radio(budget=BUDGET, motion=moving, fading=Rayleigh()).doppler_hz == pytest.approx(30 / 0.124914, rel=1e-4)
    stated = Rayleigh(Variation(doppler_hz=5))
    assert Radio(budget=BUDGET, motion=moving, fading=stated).doppler_hz == 5


def test_noise_is_thermal_noise_and_the_noise_figure() -> None:
    # k T is -174 dBm in 1 Hz at 290 K; 20 MHz are 73 dB; the figure adds 6 dB.
    assert BUDGET.noise_dbm == pytest.approx(-173.975 + 73.010 + 6, abs=0.001)


@pytest.mark.parametrize(
    ("radio", "line"),
    [
        (
            Radio(mean_snr_db=12, fading=Rayleigh(Variation(doppler_hz=10))),
            "mean SNR 12 dB, Rayleigh fading, Doppler 10 Hz",
        ),
        (
            Radio(mean_snr_db=3, fading=Nakagami(1.5, Variation(block_s=0.02)), shadowing=Shadowing(6, 20)),
            "mean SNR 3 dB, shadowing of 6 dB over 20 m, Nakagami fading, m 1.5, blocks of 20 ms",
        ),
        (
            Radio(budget=BUDGET, motion=Straight(50, 1.4), fading=Rician(6)),
            "20 dBm in 20 MHz, noise figure 6 dB, free space at 2.4 GHz, from 50 m at 1.4 m/s, away, "
            "Rician fading, K 6 dB",
        ),
        (
            Radio(budget=Budget(Hata(9e8, 50, 2), 20, 1e6), motion=Straight(2000), fading=Rician(6, 0)),
            "20 dBm in 1 MHz, noise figure 6 dB, Hata's loss at 900 MHz, city, antennas at 50 m and 2 m, at 2 km, "
            "Rician fading, K 6 dB, strong path at 0 degrees",
        ),
    ],
)
def test_a_radio_prints_as_one_line_for_a_person(radio: Radio, line: str) -> None:
    assert str(radio) == line
