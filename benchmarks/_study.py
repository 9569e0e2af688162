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

An arm without `train` has the weights of the arm it goes on from, or the committed ones. `context` and `source` say
what its streams are ordered by.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from progressive.codecs.rmpgc.backbones.hyperprior.backbone import Hyperprior
from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.entry_points import imported
from progressive.errors import UsageError
from progressive.files import read_toml
from progressive.registry import WEIGHTS, find_trainable
from progressive.semantics.blend import check_context
from progressive.semantics.sources import check_source
from progressive.training.settings import read_settings

MAX_FILE_BYTES = 100_000

BACKBONES: dict[str, Callable[[Path], Rmpgc]] = {
    "rmpgc_lsgan": lambda weights: Rmpgc(Lsgan.load(weights)),
    "rmpgc_hyperprior": lambda weights: Rmpgc(Hyperprior.load(weights)),
}
"""Codec of a study -> what makes it of a weight file."""


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
    rates: tuple[PositiveFloat, ...] = Field(min_length=1)
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
    recipe = imported(find_trainable(study.codec).function).args[0]
    for name, arm in study.arms.items():
        try:
            check_source(arm.source)
            check_context(arm.context)
            read_settings(recipe.kind, recipe.shipped, changes=arm.train)
        except UsageError as error:
            raise UsageError(f"{file}: {name}: {error}") from error
        if arm.start and arm.start not in list(study.arms)[: list(study.arms).index(name)]:
            raise UsageError(f"{file}: {name} goes on from {arm.start}, which is not an arm before it")
    unknown = {name for pair in study.compare for name in pair} - set(study.arms)
    if unknown:
        raise UsageError(f"{file}: there is no arm {', '.join(sorted(unknown))} to compare")
    return study


def arms_of(study: StudyFile, work: Path, photos: Sequence[Path], log: Callable[[str], None]) -> Iterator[Arm]:
    """Trains what is not in the folder `work` yet, on folders of photos, and yields the arms that are shown."""
    codecs: dict[Path, Rmpgc] = {}
    committed = WEIGHTS / find_trainable(study.codec).weights
    files: dict[str, Path] = {}
    for name, arm in study.arms.items():
        start = files.get(arm.start)
        file = start or committed
        if arm.train:
            file = work / f"{study.codec}_{name}_{history(study, name)}.safetensors"
            if not file.is_file():
                _train(study.codec, name, arm.train, start, file, photos, log)
        files[name] = file
        if not arm.shown:
            continue
        if file not in codecs:
            codecs[file] = BACKBONES[study.codec](file)
        yield Arm(name, codecs[file], arm.context, arm.source)


def history(study: StudyFile, name: str) -> str:
    """Six digits that name how an arm's weights came about: what trained it, and what it goes on from."""
    steps, at = [], name
    while at:
        steps.append(" ".join(study.arms[at].train))
        at = study.arms[at].start
    return sha256("|".join(steps).encode()).hexdigest()[:6]


def _train(
    codec: str,
    name: str,
    changes: Sequence[str],
    start: Path | None,
    file: Path,
    photos: Sequence[Path],
    log: Callable[[str], None],
) -> None:
    """Trains an arm, or goes on where its training was interrupted."""
    if not photos:
        raise UsageError(f"the arm {name} has no weights in {file.parent} yet: give --train, folders of photos")
    log(f"training {name}: {' '.join(changes)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part.safetensors")
    begun = unfinished.with_suffix(".state").is_file()
    if start is not None and not begun:
        shutil.copy(start, unfinished)
    imported(find_trainable(codec).function)(
        photos, unfinished, resume=begun or start is not None, changes=changes, log=log
    )
    unfinished.replace(file)
