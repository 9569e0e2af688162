"""What networks say of pictures: LPIPS, and whether the photo is still recognised, of any picture by its PSNR.

Real pictures of the first packets are judged, from none to all, a few of them. Whatever else a receiver shows counts as
the one of these with the same PSNR, on straight lines in between: exact for formats that show the beginning of a file,
an approximation for streams of which other packets came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.cache import Arrays, cached, digest_of
from experiments.case import Measure
from experiments.photo_names import SAMPLE, load_photo
from experiments.sources import find_source
from progressive import metrics
from progressive.errors import UsageError
from progressive.evaluation.meter import Judges, load_judges
from progressive.metrics.recognition import LABELS_FILE, read_labels
from progressive.runtime.threads import one_thread

Floats = NDArray[np.float64]

LOOKS = 12
"""Pictures that are judged, grey included."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Pictures of ever more first packets.

    Fields:
        psnr: in dB, rising, [K].
        lpips: perceptual distance, zero or more; nan if it was not measured, [K].
        top1: 1 where the classifier's first choice is right, else 0; nan if it was not measured, [K].
    """

    psnr: Floats
    lpips: Floats
    top1: Floats

    def at(self, psnr: Floats) -> tuple[Floats, Floats]:
        """LPIPS and top-1 of pictures with these PSNRs, two of the same shape."""
        return np.interp(psnr, self.psnr, self.lpips), np.interp(psnr, self.psnr, self.top1)


def judges_for(measures: Sequence[Measure]) -> str:
    """What names the networks that these measures need; empty if none do.

    Raises UsageError, which says how to get them, if their weights are not there.
    """
    return _judges(measures).digest if measures else ""


def judged(
    source: str, photo: str, rate_bpp: float | None, packet_size: int, measures: Sequence[Measure], cache: Path
) -> Judged:
    """The judgements of a photo by a source, made once and kept in a folder.

    Top-1 is of the class that `labels.tsv` beside the photo says it shows, or else of the classifier's first choice for
    the original. Raises UsageError as `judges_for` does.
    """
    found, original, label = find_source(source), load_photo(photo), _label_of(photo)

    def make() -> Arrays:
        judges = _judges(measures)
        with one_thread():
            pictures = found.pictures(original, rate_bpp, packet_size, cache, LOOKS)
            psnr = np.array([metrics.psnr(picture, original) for picture in pictures])
            order = np.argsort(psnr, kind="stable")
            lpips, top1 = np.full((2, len(pictures)), np.nan)
            if "lpips" in measures and judges.perceptual:
                distances = [judges.perceptual(picture, original) for picture in pictures]
                lpips = np.array([np.nan if value is None else value for value in distances])
            if "top1" in measures and judges.classifier:
                classes = [judges.classifier.probabilities([each])[0].argmax() for each in (original, *pictures)]
                top1 = np.array([float(chosen == (classes[0] if label is None else label)) for chosen in classes[1:]])
        return {"psnr": psnr[order], "lpips": lpips[order], "top1": top1[order]}

    asked = sorted(measures), judges_for(measures), label, LOOKS
    kept = cached(cache, make, "judged", found.identity(), digest_of(original), rate_bpp, packet_size, asked)
    return Judged(*(np.asarray(kept[name], np.float64) for name in ("psnr", "lpips", "top1")))


def _judges(measures: Sequence[Measure]) -> Judges:
    judges = load_judges(None, None, recognise="top1" in measures)
    if "lpips" in measures and judges.perceptual is None:
        from progressive.metrics.perceptual import load_perceptual_distance

        load_perceptual_distance()  # says what is missing
    return judges


def _label_of(photo: str) -> int | None:
    folder, name = Path(photo).parent, Path(photo).name
    if photo.startswith(SAMPLE) or not (folder / LABELS_FILE).is_file():
        return None
    try:
        return {each.path.name: each.label for each in read_labels(folder)}.get(name)
    except UsageError:
        return None
