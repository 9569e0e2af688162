"""Studies are read whole before anything is trained; an arm is trained once, from the arm it names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from frozen_lsgan import frozen_model

from benchmarks import _study
from benchmarks._study import Arm, arms_of, read_study
from benchmarks.rmpgc_paper import MEASURES, measured, overlap
from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import UsageError
from progressive.evaluation.meter import Judges
from progressive.photos import sample_photo
from progressive.training.rmpgc_lsgan.recipe import RmpgcLsgan

STUDIES = sorted((Path(__file__).parents[2] / "examples" / "rmpgc_paper").glob("*.toml"))

TEXT = """
title = "A study"
codec = "rmpgc_lsgan"
rates = [0.1]
compare = [["second", "first"]]

[arms.start]
shown = false
train = ["photos=2"]

[arms.first]
from = "start"

[arms.second]
from = "start"
train = ["photos=3"]
context = "classify"
"""


def test_the_studies_that_are_shipped_can_be_read() -> None:
    studies = [read_study(file) for file in STUDIES]
    assert len(studies) == 5
    assert all(study.compare for study in studies)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('codec = "rmpgc_lsgan"', 'codec = "jpeg"', "codec must be one of rmpgc_lsgan, rmpgc_hyperprior"),
        ("[0.1]", "[]", "rates"),
        ('"first"]', '"third"]', "there is no arm third to compare"),
        ('from = "start"', 'from = "second"', "first goes on from second, which is not an arm before it"),
        ('context = "classify"', 'source = "guess"', "unknown importance 'guess'"),
        ('context = "classify"', 'context = "sort"', "second: unknown context 'sort'"),
        ('"photos=3"', '"photo=3"', "second: .*photo"),
        ("[0.1]", "[-1]", "rates.0"),
        ("shown = false", "hidden = true", "arms.start.hidden"),
    ],
)
def test_what_no_study_can_be_is_one_line(old: str, new: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(UsageError, match=says) as refusal:
        read_study(file)
    assert "\n" not in str(refusal.value)


def test_an_arm_is_trained_once_from_the_weights_it_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, work, runs = tmp_path / "study.toml", tmp_path / "work", list[tuple[str, bool, str]]()
    file.write_text(TEXT)

    def train(_: object, __: Sequence[Path], out: Path, *, resume: bool, changes: Sequence[str], log: object) -> None:
        runs.append((out.read_text() if resume else "", resume, changes[0]))
        out.write_text(runs[-1][0] + changes[0])

    codec = Rmpgc(Lsgan(frozen_model()))
    monkeypatch.setattr(_study, "imported", lambda _: partial(train, RmpgcLsgan))
    monkeypatch.setattr(_study, "BACKBONES", {"rmpgc_lsgan": lambda _: codec})
    with pytest.raises(UsageError, match="the arm start has no weights in .*: give --train"):
        list(arms_of(read_study(file), work, [], print))
    for _ in range(2):
        arms = list(arms_of(read_study(file), work, [tmp_path], print))
    assert [(arm.name, arm.context) for arm in arms] == [("first", "hybrid"), ("second", "classify")]
    assert runs == [("", False, "photos=2"), ("photos=2", True, "photos=3")]
    assert len(list(work.iterdir())) == 2
    file.write_text(TEXT.replace("photos=2", "photos=4"))
    list(arms_of(read_study(file), work, [tmp_path], print))
    assert runs[2:] == [("", False, "photos=4"), ("photos=4", True, "photos=3")]


def test_pictures_of_more_bytes_are_better_and_bytes_are_those_of_files() -> None:
    codec, photo = Rmpgc(Lsgan(frozen_model())), sample_photo("chelsea")[:192, :256].copy()
    found = measured(Arm("own", codec, "hybrid", "network"), photo, 0, [0.1, 0.3], Judges())
    assert found.shape == (2, len(MEASURES))
    assert 0 < found[0, 0] <= 0.1 < found[1, 0] <= 0.3
    assert found[1, MEASURES.index("PSNR")] > found[0, MEASURES.index("PSNR")]
    assert np.isnan(found[:, MEASURES.index("top-1")]).all()
    assert 0 < overlap(codec, photo) < 1
