from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import judged as module
from experiments.judged import Judged, judged, judges_for
from experiments.sources import find_source
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.meter import Judges
from progressive.photos import sample_photo

PHOTO = "skimage:astronaut@128x96"


class Brightness:
    """Class 1 for pictures as bright as the original, else 0."""

    def probabilities(self, photos: Sequence[Photo]) -> Any:
        bright = sample_photo("astronaut").mean() / 2
        return np.array([[0.4, 0.6] if photo.std() > 20 and photo.mean() > bright else [0.6, 0.4] for photo in photos])


def difference(picture: Photo, original: Photo) -> float:
    return float(np.abs(picture.astype(float) - original).mean())


@pytest.fixture
def with_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    judges = Judges(difference, "difference", Brightness(), "digest")
    monkeypatch.setattr(module, "load_judges", lambda *_, **__: judges)


def test_between_pictures_that_were_judged_are_straight_lines() -> None:
    found = Judged(np.array([10.0, 20.0, 30.0]), np.array([0.8, 0.4, 0.2]), np.array([0.0, 1.0, 1.0]))
    lpips, top1 = found.at(np.array([10.0, 15.0, 35.0]))
    assert lpips == pytest.approx([0.8, 0.6, 0.2])
    assert top1 == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.usefixtures("with_judges")
@pytest.mark.parametrize(("source", "rate"), [("dual_autoencoder", None), ("jpeg2000", -1)])
def test_a_photo_is_judged_from_grey_to_its_best_picture(source: str, rate: int | None, tmp_path: Path) -> None:
    rate_bpp = None if rate is None else find_source(source).rates_bpp[rate]
    found = judged(source, PHOTO, rate_bpp, 550, ["lpips", "top1"], tmp_path)
    assert 3 <= len(found.psnr) <= 12
    assert (np.diff(found.psnr) >= 0).all()
    assert found.psnr[0] < 15 < 22 < found.psnr[-1]
    assert found.lpips[-1] < found.lpips[0] / 2
    assert (found.top1[0], found.top1[-1]) == (0, 1)
    again = judged(source, PHOTO, rate_bpp, 550, ["lpips", "top1"], tmp_path)
    assert again.lpips.tolist() == found.lpips.tolist()


@pytest.mark.usefixtures("with_judges")
def test_what_was_not_asked_for_is_not_measured(tmp_path: Path) -> None:
    found = judged("dual_autoencoder", PHOTO, None, 1100, ["lpips"], tmp_path)
    assert np.isfinite(found.lpips).all()
    assert np.isnan(found.top1).all()


def test_weights_that_are_not_there_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PROGRESSIVE_CLASSIFIER", "PROGRESSIVE_LPIPS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module.load_judges.cache_clear()
    assert judges_for([]) == ""
    with pytest.raises(UsageError, match="progressive download classifier"):
        judges_for(["top1"])
    with pytest.raises(UsageError, match="progressive download lpips"):
        judges_for(["lpips"])
