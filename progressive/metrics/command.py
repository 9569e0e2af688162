"""`python -m progressive compare`, `quality` and `accuracy`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from progressive.codec import Photo
from progressive.metrics.comparison import Measure
from progressive.metrics.comparison import compare as measure
from progressive.metrics.over_time import read_events, summarise
from progressive.metrics.recognition import folder_accuracy, read_labels
from progressive.photos import read_photo
from progressive.semantics.grids import Map

if TYPE_CHECKING:
    from progressive.metrics.perceptual import PerceptualDistance


def compare(
    picture: Path,
    original: Path,
    *,
    source: str,
    classifier_weights: Path | None,
    lpips_weights: Path | None,
    as_json: bool,
    log: Callable[[str], None],
) -> None:
    """Measures and prints; raises UsageError if a photo cannot be read or their sizes differ."""
    from progressive.semantics.sources import check_source, importance_map

    check_source(source)

    def importance(photo: Photo) -> Map:
        return importance_map(photo, source=source, classifier_weights=classifier_weights)

    def perceptual() -> PerceptualDistance:
        from progressive.metrics.perceptual import load_perceptual_distance

        return load_perceptual_distance(lpips_weights, classifier_weights)

    if lpips_weights:  # what is named and cannot be used is an error, not a note
        perceptual()
    elif classifier_weights:
        from progressive.semantics.classifier import load_classifier

        load_classifier(classifier_weights)
    measures = measure(read_photo(picture), read_photo(original), importance=importance, perceptual=perceptual)
    if as_json:
        log(json.dumps(_record(measures), allow_nan=False))
    else:
        Console().print(_table(measures))


def accuracy(
    folder: Path, *, labels: Path | None, classifier_weights: Path | None, as_json: bool, log: Callable[[str], None]
) -> None:
    """Classifies and prints; raises UsageError if labels, photos or weights cannot be read."""
    photos = read_labels(folder, labels)
    from progressive.semantics.classifier import load_classifier

    found = folder_accuracy(photos, load_classifier(classifier_weights))
    if as_json:
        log(json.dumps({"photos": found.photos, "top1": found.top1, "top5": found.top5}))
    else:
        log(f"{found.photos} photos: top-1 {found.top1:.1%}, top-5 {found.top5:.1%}")


def over_time(report: Path, *, until_s: float | None, as_json: bool, log: Callable[[str], None]) -> None:
    """Prints how soon a stream was good; raises UsageError if the report cannot be read or measured nothing."""
    summaries = summarise(read_events(report), until_s)
    if as_json:
        log(json.dumps([asdict(s) for s in summaries], allow_nan=False))
        return
    table = Table("quality", "over", "until", "mean", "area", "last", "first at", box=None)
    for s in summaries:
        reached = ", ".join(f"{level:g}: {'never' if at is None else f'{at:.4g}'}" for level, at in s.reached.items())
        table.add_row(s.quality, s.over, f"{s.until:.4g}", f"{s.mean:.4g}", f"{s.area:.4g}", f"{s.last:.4g}", reached)
    Console().print(table)


def _record(measures: Sequence[Measure]) -> dict[str, object]:
    """Every metric by its key, null without a value, and why under `notes`."""
    values: dict[str, object] = {m.key: m.value for m in measures}
    return values | {"notes": {m.key: m.note for m in measures if m.note}}


def _table(measures: Sequence[Measure]) -> Table:
    table = Table("metric", "value", box=None)
    for m in measures:
        table.add_row(m.name, m.note if m.value is None else f"{m.value:.2f}" if m.key == "psnr" else f"{m.value:.4f}")
    return table
