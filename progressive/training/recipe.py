"""What a network brings to its training, and how a run of it goes from photos to the weight file.

A new recipe is a folder with a subclass of `Recipe`, its settings and its phases, and an entry in
`progressive.registry`. Beside the weights lies the state of the run while it lasts.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from progressive.errors import UsageError
from progressive.registry import CODECS, with_weights
from progressive.training.checkpoints import Agenda, Checkpoints, State
from progressive.training.data import MAX_UPSCALING, Photos, load_sets
from progressive.training.loop import Log, Training
from progressive.training.phase import Phase
from progressive.training.settings import Settings, profiles_of, read_settings
from progressive.training.workers import Worker, joined

M = TypeVar("M", bound=nn.Module)
S = TypeVar("S", bound=Settings)


class Recipe(ABC, Generic[M, S]):
    """A run of a recipe, of the settings it was asked for.

    The model holds all that is trained. Its state says what `phases` need of it, so that a run goes on from there.

    Fields:
        name: of the recipe.
        architecture: of the weights, if they name one; a state of another one is refused.
        kind, shipped: the class of its settings, and their file.
        upscaling: photos are enlarged at random by up to this.

    Args:
        out: the weight file that is going to be written.
        seed: of what is drawn outside the phases.
    """

    name: ClassVar[str]
    architecture: ClassVar[str] = ""
    kind: ClassVar[type[Any]]
    shipped: ClassVar[Path]
    upscaling: ClassVar[float] = MAX_UPSCALING

    def __init__(self, settings: S, *, out: Path, seed: int, worker: Worker, log: Log) -> None:
        self.settings, self.out, self.seed, self.worker, self.log = settings, out, seed, worker, log

    @property
    def side(self) -> int:
        """Photos with a shorter side than this, in pixels, are left out."""
        return 1

    @abstractmethod
    def fresh(self) -> M:
        """A model to begin with."""

    @abstractmethod
    def read(self, file: Path) -> M:
        """The model of a weight file, to be trained further; raises UsageError if it is another network's."""

    def start(self, model: M, photos: Photos) -> None:
        """Gives a fresh model what needs photos but no steps, such as closed forms."""

    @abstractmethod
    def phases(self, model: M, photos: Photos) -> Mapping[str, Callable[[], Phase[M]]]:
        """What makes each phase of the settings, by name; called once, before the first one."""

    @abstractmethod
    def write(self, out: Path, model: M) -> None:
        """Writes the weight file of a trained model, which is on the CPU, whole or not at all."""

    def clean_up(self) -> None:
        """Removes what the run kept beside the weights."""


def carry_out(
    recipe: type[Recipe[Any, Any]],
    data: Sequence[Path],
    out: Path,
    *,
    photos: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "auto",
    settings: Path | None = None,
    profile: str | None = None,
    held_out: Path | None = None,
    changes: Sequence[str] = (),
    log: Log,
) -> None:
    """Trains on the photos below the folders `data` and writes the weight file `out`.

    Under `torchrun` every process draws its own batch, and gradients are averaged. With `resume` it goes on from the
    state that an interrupted run left beside `out`, or else from the weights in `out`.

    Args:
        photos, steps: replace the number of photos, and that of every phase's steps.
        device: auto, cpu or cuda.
        settings: a TOML file like the recipe's `settings.toml`, which is used without one.
        profile: a table of it; without one cpu or gpu, whichever suits the device, if there are any.
        held_out: a folder of photos to watch the progress on; without it some of `data` are set aside.
        changes: of settings, `key=value` each.

    Raises UsageError for wrong settings, without photos, and if there is nothing to resume.
    """
    with joined(device) as worker:
        file = settings or recipe.shipped
        if profile is None and profiles_of(recipe.kind, file):
            profile = "gpu" if worker.device.type == "cuda" else "cpu"
        chosen = read_settings(recipe.kind, file, profile, changes).limited(photos=photos, steps=steps)
        told = log if worker.leads else _nobody
        run(recipe(chosen, out=out, seed=seed, worker=worker, log=told), data, held_out=held_out, resume=resume)


def run(recipe: Recipe[M, S], data: Sequence[Path], *, held_out: Path | None = None, resume: bool = False) -> None:
    """`carry_out` with every setting of the recipe open."""
    settings, worker = recipe.settings, recipe.worker
    torch.manual_seed(recipe.seed)
    checkpoints = Checkpoints(recipe.out.with_suffix(".state"), owner_of(recipe))
    model, plan, state = _beginning(recipe, checkpoints, resume=resume)
    photos = load_sets(
        data,
        held_out,
        limit=settings.photos,
        set_aside=settings.held_out,
        side=recipe.side,
        seed=recipe.seed,
        upscaling=recipe.upscaling,
    )
    recipe.log(f"{photos.in_words}, on {worker.count} x {worker.device.type}")
    if state is None and not plan.resumed:
        recipe.start(model, photos)
    phases = recipe.phases(model, photos)
    del photos  # phases keep what they need, in a form of their own
    training = Training(model, phases, plan, settings, worker=worker, checkpoints=checkpoints, log=recipe.log)
    training.run(state)
    if worker.leads:
        recipe.write(recipe.out, model.cpu())
        checkpoints.remove()
        recipe.clean_up()
        recipe.log(f"wrote {recipe.out}{_model_in_words(recipe)}")
    worker.wait()


def _model_in_words(recipe: Recipe[M, S]) -> str:
    """What streams made with the written weights name; empty for a network that no codec owns."""
    if recipe.name not in CODECS:
        return ""
    return f", model id {with_weights(recipe.name, recipe.out).model_id.hex()}"


def _nobody(_: str) -> None:
    """Reads the log of all processes but the first."""


def owner_of(recipe: Recipe[M, S]) -> str:
    """What a state says that it is of: the recipe, and the architecture of its weights."""
    return f"{recipe.name} {recipe.architecture}".strip()


def _beginning(recipe: Recipe[M, S], checkpoints: Checkpoints, *, resume: bool) -> tuple[M, Agenda, State | None]:
    """The model to start with, what is to be done, and the state to go on from if there is one."""
    settings, out = recipe.settings, recipe.out
    if not resume:
        return recipe.fresh(), Agenda(settings.phases(), resumed=False, seed=recipe.seed), None
    if checkpoints.file.is_file():
        plan, state = checkpoints.read(recipe.worker.device, settings.phases())
        return recipe.fresh(), plan, state
    if out.is_file():
        # Mixing the weights into the seed makes each further run draw other crops than the one before.
        mixed = zlib.crc32(out.read_bytes(), recipe.seed)
        return recipe.read(out), Agenda(settings.resumed_phases, resumed=True, seed=mixed), None
    raise UsageError(f"nothing to resume: there is no {out}")
