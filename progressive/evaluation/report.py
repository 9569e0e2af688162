"""The tables and the record of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from progressive.evaluation.bootstrap import Estimate
from progressive.evaluation.curves import Curve
from progressive.evaluation.figure import plot
from progressive.evaluation.summary import Row, Summary
from progressive.files import write_result

FILES = ("evaluation.md", "evaluation.json", "evaluation.png")
FEW_PHOTOS = 4
"""Up to this many photos are listed one by one, not only on average."""


def text(summary: Summary, protocol: str) -> str:
    """The protocol and every table, as Markdown."""
    names = len({row.photo for row in summary.rows})
    rows = [*(summary.rows if names <= FEW_PHOTOS else ()), *summary.means]
    parts = [protocol, quality_table(rows, summary.systems)]
    if len(summary.systems) > 1:
        parts.append(bd_rate_table(summary))
    if summary.recognition:
        parts.append(recognition_table(summary))
    return "\n\n".join(parts)


def quality_table(rows: Sequence[Row], systems: Sequence[str]) -> str:
    """PSNR, MS-SSIM and, where it was measured, LPIPS at each rate."""
    header = ("photo", "bpp", *systems, "photos")
    return _markdown(header, ([r.photo, f"{r.bpp:.4g}", *_cells(r), str(r.photos)] for r in rows))


def bd_rate_table(summary: Summary) -> str:
    """What the codec's stream costs beside each peer."""
    header = (f"bytes of {summary.systems[0]} beside", "at equal PSNR", "photos", "at equal MS-SSIM", "photos")
    lines = []
    for peer in summary.systems[1:]:
        cells = [peer]
        for quality in ("psnr", "ms_ssim"):
            mean = summary.bd_rates.get((peer, quality))
            cells += [mean.in_words("+.1f", " %"), str(mean.photos)] if mean else ["-", "0"]
        lines.append(cells)
    return _markdown(header, lines)


def recognition_table(summary: Summary) -> str:
    """Top-1 and the true class's probability, and what the codec gains over each peer."""
    ours = summary.systems[0]
    header = ("bpp", "system", "top-1, %", "true class, %", f"top-1 of {ours} more", "true class more", "photos")
    lines = []
    for r in summary.recognition:
        values = [_scaled(e).in_words(".1f") for e in (r.top1, r.probability)]
        gains = [_scaled(e).in_words("+.1f") if e else "" for e in (r.top1_gain, r.probability_gain)]
        where = "pooled" if r.bpp is None else f"{r.bpp:.4g}"
        lines.append([where, r.system, *values, *gains, str(r.top1.photos)])
    return _markdown(header, lines)


def save(folder: Path, curves: Sequence[Curve], summary: Summary, protocol: str, settings: object) -> None:
    """Writes evaluation.md, evaluation.json and evaluation.png."""
    record = {
        "protocol": protocol,
        "settings": settings,
        "systems": summary.systems,
        "rows": [asdict(r) for r in (*summary.rows, *summary.means)],
        "bd_rates": [
            {"peer": peer, "quality": quality, **asdict(mean)} for (peer, quality), mean in summary.bd_rates.items()
        ],
        "bd_rates_by_photo": [asdict(b) for b in summary.bd_rates_by_photo],
        "recognition": [asdict(r) for r in summary.recognition],
        "curves": [asdict(c) for c in curves],
    }
    markdown, as_json, figure = (folder / name for name in FILES)
    write_result(markdown, f"{text(summary, protocol)}\n".encode(errors="backslashreplace"))
    write_result(as_json, json.dumps(_finite(record), indent=1, allow_nan=False).encode())
    write_result(figure, plot(curves, summary))


def _cells(row: Row) -> list[str]:
    cells = []
    for psnr, ms_ssim, lpips, reached in zip(row.psnr, row.ms_ssim, row.lpips, row.reached, strict=True):
        values = (psnr, ".2f"), (ms_ssim, ".4f"), (lpips, ".3f")
        missing = f"{reached} of {row.photos}" if 0 < reached < row.photos else "-"
        cells.append(" ".join(f"{value:{form}}" for value, form in values if value is not None) or missing)
    return cells


def _scaled(estimate: Estimate) -> Estimate:
    return Estimate(100 * estimate.mean, 100 * estimate.low, 100 * estimate.high, estimate.photos)


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|" + "-|" * len(header)
    return "\n".join([f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])


def _finite(value: Any) -> Any:
    """The value for JSON, which has no word for the PSNR of a picture that equals the original: null."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
