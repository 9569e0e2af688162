"""Path loss against values worked out by hand from the published formulas; shadowing's deviation and correlation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.motion import Straight
from channel_sim.radio.path_loss import FreeSpace, Hata, LogDistance, PathLoss, UrbanMacro, UrbanMicro
from channel_sim.radio.settings import Radio, Shadowing
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Path loss and shadowing"
NOTE = (
    "Path loss beside values worked out by hand from the formulas in the standards and papers. Shadowing of 8 dB with "
    "a correlation distance of 50 m, on 20,000 links: its standard deviation, and the correlation of levels some way "
    "apart beside exp(-way / 50 m), within 3 standard errors of those of independent Gaussian pairs."
)

BY_HAND: tuple[tuple[PathLoss, float, float], ...] = (
    (FreeSpace(2.4e9), 100, 80.05),
    (LogDistance(868e6, 3.5), 1000, 136.22),
    (Hata(900e6), 5000, 151.02),
    (Hata(900e6, environment="large city"), 5000, 151.04),
    (Hata(900e6, environment="suburb"), 5000, 141.08),
    (Hata(900e6, environment="open"), 5000, 122.52),
    (UrbanMacro(2e9), 500, 125.06),
    (UrbanMacro(2e9, line_of_sight=True), 500, 96.88),
    (UrbanMicro(3.5e9), 100, 104.64),
    (UrbanMicro(3.5e9, line_of_sight=True), 100, 85.31),
)
"""Model, distance in metres, loss in dB."""

SHADOWING = Shadowing(8.0, 50.0)
LINKS = 20_000
WAYS_M = (5.0, 25.0, 50.0, 100.0, 200.0)


def checks() -> list[Check]:
    """Losses, then the deviation and correlations of shadowing."""
    losses = [
        Check(f"dB lost over {distance_m:g} m, {model}", float(model.loss_db(np.array(distance_m))), expected, 0.01, 1)
        for model, distance_m, expected in BY_HAND
    ]
    levels_db = _levels_db((0.0, *WAYS_M))
    deviation_db = float(levels_db.std())
    expected_db = SHADOWING.deviation_db
    rows = [
        Check("dB, deviation of shadowing", deviation_db, expected_db, 3 * expected_db / math.sqrt(2 * LINKS), LINKS)
    ]
    for column, way_m in enumerate(WAYS_M, start=1):
        correlation = float(np.corrcoef(levels_db[:, 0], levels_db[:, column])[0, 1])
        expected = math.exp(-way_m / SHADOWING.correlation_m)
        three_errors = 3 * (1 - expected**2) / math.sqrt(LINKS)
        rows.append(Check(f"correlation of shadowing {way_m:g} m apart", correlation, expected, three_errors, LINKS))
    return [*losses, *rows]


def _levels_db(ways_m: tuple[float, ...]) -> NDArray[np.float64]:
    """Shadowing after these ways, [LINKS, ways], seen through a channel whose receiver moves at 1 m/s."""
    walking = Radio(mean_snr_db=0, motion=Straight(100, speed_mps=1), shadowing=SHADOWING)
    return RadioChannel(walking, links=LINKS, seed=5).snr_db(np.array(ways_m))


def draw(figure: Figure) -> None:
    """Path loss over distance on the left, correlation of shadowing on the right."""
    left, right = figure.subplots(1, 2)
    models = (FreeSpace(2e9), LogDistance(2e9, 3.5), UrbanMacro(2e9), UrbanMicro(2e9), UrbanMacro(2e9, True), Hata(1e9))
    for model in models:
        distance_m = np.geomspace(1e3 if isinstance(model, Hata) else 10, 5e3, 200)
        left.semilogx(distance_m, model.loss_db(distance_m), label=str(model))
    left.set(xlabel="distance (m)", ylabel="path loss (dB)", ylim=(50, 215))
    left.legend(fontsize="x-small")
    ways_m = np.linspace(0, 250, 51)
    levels_db = _levels_db(tuple(ways_m))
    right.plot(ways_m, np.exp(-ways_m / SHADOWING.correlation_m), label="exp(-way / 50 m)")
    measured = [np.corrcoef(levels_db[:, 0], levels_db[:, column])[0, 1] for column in range(len(ways_m))]
    right.plot(ways_m, measured, "o", markersize=3, label=f"{LINKS:,} links")
    right.set(xlabel="way travelled (m)", ylabel="correlation of shadowing")
    right.legend(fontsize="small")
