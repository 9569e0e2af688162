"""Studies of the RMPGC paper as files: arms that are trained alike, what is sent of them, and what is compared.

    title = "Weights of the losses (Fig. 11)"
    codec = "rmpgc_lsgan"
    rates = [0.1, 0.2]                     # bpp
    compare = [["C", "B"]]                 # differences, the first minus the second

    [arms.start]                           # trained first, not shown
    shown = false
    train = ["adversarial.steps=0"]

    [arms.B]
    from = "start"                         # an arm whose weights it goes on from; without, from the beginning
    train = ["adversarial.feature_weight=0"]

An arm without `train` and `from` has the committed weights. `context` and `source` say what its streams are ordered by.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from progressive.codecs.rmpgc.backbones.hyperprior.backbone import Hyperprior
from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import UsageError
from progressive.files import read_toml
from progressive.registry import find_trainable, imported
from progressive.semantics.sources import check_source

MAX_FILE_BYTES = 100_000

BACKBONES: dict[str, Callable[..., Rmpgc]] = {
    "rmpgc_lsgan": lambda *weights: Rmpgc(Lsgan.load(*weights)),
    "rmpgc_hyperprior": lambda *weights: Rmpgc(Hyperprior.load(*weights)),
}
"""Codec of a study -> what makes it, of a weight file or of the committed weights."""


class ArmFile(BaseModel):
    """An arm as a file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: tuple[str, ...] = ()
    start: str = Field("", alias="from")
    context: str = "hybrid"
    source: str = "network"
    shown: bool = True


class StudyFile(BaseModel):
    """A study as a file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    codec: str
    rates: tuple[float, ...] = Field(min_length=1)
    arms: dict[str, ArmFile] = Field(min_length=1)
    compare: tuple[tuple[str, str], ...] = ()
    overlap: bool = False


@dataclass(frozen=True)
class Arm:
    """What is measured. Fields: its name; the codec; the context and the source of the order of sending."""

    name: str
    codec: Rmpgc
    context: str
    source: str


def read_study(file: Path) -> StudyFile:
    """Raises UsageError, in one line, if the file cannot be read or says what no study can be."""
    try:
        study = StudyFile.model_validate(read_toml(file, limit=MAX_FILE_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if study.codec not in BACKBONES:
        raise UsageError(f"{file}: codec must be one of {', '.join(BACKBONES)}")
    for name, arm in study.arms.items():
        check_source(arm.source)
        if arm.start and arm.start not in list(study.arms)[: list(study.arms).index(name)]:
            raise UsageError(f"{file}: {name} goes on from {arm.start}, which is not an arm before it")
    unknown = {name for pair in study.compare for name in pair} - set(study.arms)
    if unknown:
        raise UsageError(f"{file}: there is no arm {', '.join(sorted(unknown))} to compare")
    return study


def arms_of(study: StudyFile, work: Path, photos: Sequence[Path], log: Callable[[str], None]) -> Iterator[Arm]:
    """Trains what is not in the folder `work` yet, on folders of photos, and yields the arms that are shown."""
    codecs: dict[Path | None, Rmpgc] = {}
    files: dict[str, Path | None] = {}
    for name, arm in study.arms.items():
        file = files[name] = _weights(study, name, arm, files, work, photos, log)
        if not arm.shown:
            continue
        if file not in codecs:
            codecs[file] = BACKBONES[study.codec](*([] if file is None else [file]))
        yield Arm(name, codecs[file], arm.context, arm.source)


def _weights(
    study: StudyFile,
    name: str,
    arm: ArmFile,
    files: dict[str, Path | None],
    work: Path,
    photos: Sequence[Path],
    log: Callable[[str], None],
) -> Path | None:
    """The weight file of an arm, trained if it is not there; none for the committed weights."""
    if not arm.train and not arm.start:
        return None
    if not arm.train:
        return files[arm.start]
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{study.codec}_{name}.safetensors"
    if file.is_file() and not file.with_suffix(".state").is_file():
        return file
    if not photos:
        raise UsageError(f"the arm {name} has no weights in {work} yet: give --train, folders of photos")
    log(f"training {name}: {' '.join(arm.train)}")
    start = files.get(arm.start)
    unfinished = file.with_suffix(".part.safetensors")
    if start is not None:
        shutil.copy(start, unfinished)
    train = imported(find_trainable(study.codec).function)
    train(photos, unfinished, resume=start is not None, changes=arm.train, log=log)
    unfinished.replace(file)
    return file
