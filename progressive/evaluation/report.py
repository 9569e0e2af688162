"""The table, the plot and the figures of an evaluation."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from progressive.evaluation.curves import Curve
from progressive.files import write_atomically

PROTOCOL = (
    "Each entry is the best picture whose whole file fits the rate, headers included: PSNR over RGB in dB, MS-SSIM. "
    "Means are over the photos for which every system has a picture at that rate; their number is in the last column."
)


@dataclass(frozen=True, slots=True)
class Row:
    """Quality at one rate, by system; None where a system has no file that small.

    Fields:
        photo: name, or "mean".
        psnr, ms_ssim: in the order of the systems.
        photos: how many photos count.
    """

    photo: str
    bpp: float
    psnr: tuple[float | None, ...]
    ms_ssim: tuple[float | None, ...]
    photos: int


def photo_rows(curves: Sequence[Curve], systems: Sequence[str], rates: Sequence[float]) -> list[Row]:
    """One row for each photo and rate."""
    by_key = {(c.photo, c.system): c for c in curves}
    rows = []
    for photo in dict.fromkeys(c.photo for c in curves):
        for bpp in rates:
            best = [by_key[photo, system].best_within(bpp) for system in systems]
            psnr = tuple(None if p is None else p.psnr for p in best)
            rows.append(Row(photo, bpp, psnr, tuple(None if p is None else p.ms_ssim for p in best), 1))
    return rows


def mean_rows(rows: Sequence[Row], rates: Sequence[float]) -> list[Row]:
    """The mean over photos at each rate."""
    means = []
    for bpp in rates:
        shared = [r for r in rows if r.bpp == bpp and None not in r.psnr]
        systems = range(len(rows[0].psnr))
        psnr = tuple(_mean([r.psnr[s] for r in shared]) for s in systems)
        similarity = tuple(_mean([r.ms_ssim[s] for r in shared]) for s in systems)
        means.append(Row("mean", bpp, psnr, similarity, len(shared)))
    return means


def table(rows: Sequence[Row], systems: Sequence[str]) -> str:
    """A Markdown table."""
    lines = [f"| photo | bpp | {' | '.join(systems)} | photos |", "|-|-|" + "-|" * len(systems) + "-|"]
    for row in rows:
        cells = [_cell(p, m) for p, m in zip(row.psnr, row.ms_ssim, strict=True)]
        lines.append(f"| {row.photo} | {row.bpp:.4g} | {' | '.join(cells)} | {row.photos} |")
    return "\n".join(lines)


def save(folder: Path, curves: Sequence[Curve], rows: Sequence[Row], systems: Sequence[str], settings: object) -> None:
    """Writes evaluation.md, evaluation.json and evaluation.png."""
    text = f"{PROTOCOL}\n\n{table(rows, systems)}\n"
    record = {"protocol": PROTOCOL, "settings": settings, "rows": [asdict(r) for r in rows]}
    record["curves"] = [asdict(c) for c in curves]
    write_atomically(folder / "evaluation.md", text.encode())
    write_atomically(folder / "evaluation.json", json.dumps(_finite(record), indent=1, allow_nan=False).encode())
    write_atomically(folder / "evaluation.png", plot(rows, systems))


def plot(rows: Sequence[Row], systems: Sequence[str]) -> bytes:
    """PSNR and MS-SSIM against rate, means over the photos, as a PNG."""
    from matplotlib.figure import Figure

    means = [r for r in rows if r.photo == "mean"]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axes, label, values in zip(
        figure.subplots(1, 2),
        ("PSNR (dB)", "MS-SSIM"),
        ([r.psnr for r in means], [r.ms_ssim for r in means]),
        strict=True,
    ):
        for index, system in enumerate(systems):
            quality = [np.nan if v[index] is None else v[index] for v in values]
            axes.plot([r.bpp for r in means], quality, marker="o", markersize=3, label=system)
        axes.set(xlabel="bits a pixel, whole files", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def _finite(value: Any) -> Any:
    """The value for JSON, which has no word for the PSNR of a picture that equals the original: null."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [v for v in values if v is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None


def _cell(psnr: float | None, similarity: float | None) -> str:
    if psnr is None:
        return "-"
    return f"{psnr:.2f}" if similarity is None else f"{psnr:.2f} {similarity:.3f}"
