"""How sure the figures are: estimates beside real decodes, and how long trials take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from experiments.case import Case, Conditions, Floats, Parameters, System
from experiments.drawing import COLOURS, GRID, new_figure, png_of
from experiments.laboratory import Laboratory
from experiments.page.runner import Runner, Section, target
from experiments.tables import markdown
from experiments.validation import Agreement

FILE = "systems.toml"
RECEPTIONS, QUICK_RECEPTIONS = 1040, 40
MANY = 100_000
TIMED = Conditions("ep4", 50_000.0, 10.0)


def section(runner: Runner) -> Section:
    """Of all photos of the systems' experiment."""
    photos = runner.read(FILE).photos
    each = -(-(QUICK_RECEPTIONS if runner.quick else RECEPTIONS) // len(photos))
    calls = [(photo, each, number) for number, photo in enumerate(photos)]
    identity = runner.laboratory.identity("rmpgc")
    parts = runner.finish("decoding", _compared, photos, calls, identity)
    joined = {name: np.concatenate([np.array(part[name], np.float64) for part in parts]) for name in parts[0]}
    complete = joined["base_complete"] > 0
    agreement = Agreement.of(joined["estimated_psnr"], joined["psnr"])
    seconds = _seconds(photos[0], runner.laboratory, runner.cache)
    text = f"""\
Trials do not decode pictures: distortions of a stream's segments are added up. Here {
        agreement.receptions:,} receptions,
drawn with the losses of EP2 to EP6 at random moments, are estimated and decoded.

{
        target(
            "estimates within 0.1 dB of at least 1,000 real decodes in the mean",
            f"estimates are {agreement.mean:+.3f} dB off in the mean over {agreement.receptions:,} decodes (spread "
            f"{agreement.spread:.3f} dB, worst {agreement.worst:.2f} dB)",
        )
    }

{_table(joined, complete)}

![Estimated and real PSNR](estimates.png)

{
        target(
            f"{MANY:,} trials of one photo in under 10 minutes on two cores",
            f"{seconds:.1f} s on one core (`rmpgc planned`, EP4, planning included)",
        )
    }
`python -m benchmarks.trials` measures more of that."""
    return Section("How sure the figures are", text, {"estimates.png": _drawn(joined)})


def _table(joined: dict[str, Floats], complete: Any) -> str:
    def row(words: str, estimate: str, real: str, rows: Any, digits: int) -> list[str]:
        known = rows & np.isfinite(joined[real])
        if not known.any():
            return [words, "0", "", "", ""]
        found = Agreement.of(joined[estimate][known], joined[real][known])
        return [words, f"{found.receptions:,}", *(f"{v:.{digits}f}" for v in (found.mean, found.spread, found.worst))]

    everything = np.ones_like(complete)
    rows = [
        row("PSNR (dB), all", "estimated_psnr", "psnr", everything, 3),
        row("PSNR (dB), base complete", "estimated_psnr", "psnr", complete, 3),
        row("PSNR (dB) as the planner believes, base complete", "planned_psnr", "psnr", complete, 3),
        row("MS-SSIM, all", "estimated_ms_ssim", "ms_ssim", everything, 4),
    ]
    return markdown(("estimate - real", "decodes", "mean", "spread", "worst"), rows)


def _drawn(joined: dict[str, Floats]) -> bytes:
    figure = new_figure(9.0, 3.8)
    for axes, name, words in zip(figure.subplots(1, 2), ("psnr", "ms_ssim"), ("PSNR (dB)", "MS-SSIM"), strict=True):
        real, estimate = joined[name], joined[f"estimated_{name}"]
        axes.plot(real, real, color="#6e7781", linewidth=0.8)
        axes.plot(real, estimate, "o", color=COLOURS[0], markersize=2.5, alpha=0.5, markeredgewidth=0)
        axes.set(xlabel=f"{words} of the decoded picture", ylabel=f"{words}, estimated")
        axes.grid(color=GRID)
        axes.spines[["top", "right"]].set_visible(False)
    return png_of(figure)


def _compared(
    laboratory: Laboratory, cache: Path, photo: str, receptions: int, seed: int
) -> dict[str, list[float | None]]:
    found = laboratory.compare(photo, receptions, seed, cache)
    return {name: _plain(values) for name, values in asdict(found).items()}


def _plain(values: Sequence[float]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _seconds(photo: str, laboratory: Laboratory, cache: Path) -> float:
    """Processor time of so many trials."""
    case = Case(photo, System("rmpgc", "planned"), TIMED, Parameters(), MANY, 0)
    laboratory.run(Case(photo, case.system, TIMED, case.parameters, 1, 0), cache)
    start = time.process_time()
    laboratory.run(case, cache)
    return time.process_time() - start
