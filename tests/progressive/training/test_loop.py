"""The loop by itself, with a recipe of one number: what every recipe relies on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from progressive.errors import RunError, UsageError
from progressive.training import settings
from progressive.training.checkpoints import Agenda, Checkpoints
from progressive.training.data import Photos
from progressive.training.loop import scheduled
from progressive.training.phase import Loss, Phase
from progressive.training.recipe import Recipe, carry_out, owner_of, run
from progressive.training.settings import PhaseSettings, keys_of, read_settings
from progressive.training.workers import Worker

ALONE = Worker(0, 1, torch.device("cpu"))

TEXT = """
photos = 9
held_out = 1
optimiser = "adam"
weight_decay = 0.0
largest_gradient = 1.0
averaging = 0.5
warm_up = 1
lowest_rate = 0.1
report = 2
checkpoint = 2
resumed_phases = ["second"]
resumed_rate = 0.5
target = 3.0
loud = false
[first]
steps = 5
batch = 2
learning_rate = 1e-1
[second]
steps = 5
batch = 2
learning_rate = 1
"""


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    target: float
    loud: bool
    first: PhaseSettings
    second: PhaseSettings


class Number(nn.Module):
    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(size))


class Reaching(Phase[Number]):
    def __init__(self, name: str, model: Number, chosen: Settings, watched: int) -> None:
        super().__init__(name, model, chosen.phase(name))
        self.target, self.watched = chosen.target, watched

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model]

    def loss(self, rng: np.random.Generator) -> Loss:
        apart: Tensor = (self.model.value - self.target + rng.normal(0, 0.1)).square().mean()
        return Loss(apart, {"apart": apart.detach()})

    def report(self, model: Number) -> str:
        return f"at {float(model.value.mean().detach()):.2f}" if self.watched else ""


class Reach(Recipe[Number, Settings]):
    name = "reach"
    architecture = "one-1"
    kind = Settings
    shipped = Path("none")
    size = 1

    def fresh(self) -> Number:
        return Number(self.size)

    def read(self, file: Path) -> Number:
        model = Number(self.size)
        model.value.data.fill_(float(file.read_text()))
        return model

    def start(self, model: Number, photos: Photos) -> None:
        model.value.data.fill_(len(photos.training))

    def phases(self, model: Number, photos: Photos) -> Mapping[str, Callable[[], Phase[Number]]]:
        watched = len(photos.held_out)
        return {name: lambda name=name: Reaching(name, model, self.settings, watched) for name in ("first", "second")}

    def write(self, out: Path, model: Number) -> None:
        out.write_text(repr(float(model.value.mean().detach())))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(TEXT)
    return tmp_path / "settings.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def silent(_: str) -> None:
    pass


def reach(file: Path, *changes: str, out: str = "out.txt", log: Callable[[str], None] = silent) -> Reach:
    chosen = read_settings(Settings, file, changes=changes)
    return Reach(chosen, out=file.parent / out, seed=1, worker=ALONE, log=log)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_a_run_reaches_what_it_is_for_and_reports(optimiser: str, file: Path, folder: Path) -> None:
    lines: list[str] = []
    recipe = reach(file, f"optimiser={optimiser}", "second.steps=60", log=lines.append)
    run(recipe, [folder], held_out=folder)
    assert abs(float(recipe.out.read_text()) - 3) < 0.5
    assert not recipe.out.with_suffix(".state").exists()
    assert any(line.startswith("first 4/5, 8 samples seen: loss ") and ", apart " in line for line in lines)
    assert any(line.startswith("second 60, photos set aside: at ") for line in lines)
    assert lines[0] == "2 photos, 0 megapixels, 1 set aside, on 1 x cpu"


@pytest.mark.parametrize("line", ["first 4/", "second 2/", "second 4/"])
def test_an_interrupted_run_that_goes_on_ends_as_one_that_was_not(line: str, file: Path, folder: Path) -> None:
    def interrupt(text: str) -> None:
        if text.startswith(line):
            raise KeyboardInterrupt

    run(reach(file, out="whole.txt"), [folder])
    with pytest.raises(KeyboardInterrupt):
        run(reach(file, log=interrupt), [folder])
    run(reach(file), [folder], resume=True)
    assert (file.parent / "out.txt").read_text() == (file.parent / "whole.txt").read_text()


def test_a_run_goes_on_from_weights_with_its_own_phases_at_its_own_rate(file: Path, folder: Path) -> None:
    lines: list[str] = []
    recipe = reach(file, log=lines.append)
    recipe.out.write_text("2.0")
    run(recipe, [folder], resume=True)
    assert not any(line.startswith("first") for line in lines)
    assert any(line.startswith("second 4/5") for line in lines)
    first = recipe.out.read_text()
    run(recipe, [folder], resume=True)
    assert recipe.out.read_text() != first


def test_without_weights_there_is_nothing_to_resume(file: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="nothing to resume: there is no"):
        run(reach(file), [folder], resume=True)


def test_a_loss_that_is_no_number_ends_the_run(file: Path, folder: Path) -> None:
    with pytest.raises(RunError, match="first phase diverged at step 2: lower its learning_rate"):
        run(reach(file, "target=nan"), [folder])


def state_of(file: Path) -> Path:
    """What an interrupted run leaves."""
    recipe = reach(file)
    checkpoints = Checkpoints(recipe.out.with_suffix(".state"), owner_of(recipe))
    state = {"number": 0, "step": 0, "model": Number().state_dict()}
    checkpoints.write(Agenda(("first", "second"), resumed=False, seed=1), state)
    return checkpoints.file


@pytest.mark.parametrize("wrong", ["recipe", "architecture", "shapes", "phases", "damage", "cut", "no state"])
def test_a_state_that_is_another_s_is_refused_in_a_line(
    wrong: str, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, message = state_of(file), "cannot read the state"
    match wrong:
        case "recipe":
            monkeypatch.setattr(Reach, "name", "grasp")
            message = "is of reach one-1, not of grasp one-1: remove it"
        case "architecture":
            monkeypatch.setattr(Reach, "architecture", "two-2")
            message = "is of reach one-1, not of reach two-2: remove it"
        case "shapes":
            monkeypatch.setattr(Reach, "size", 2)
            message = "of other phases or shapes than this version's"
        case "phases":
            found = torch.load(state)
            torch.save(found | {"plan": found["plan"] | {"phases": ["third"]}}, state)
            message = "of other phases or shapes than this version's"
        case "damage":
            state.write_bytes(b"nothing")
        case "cut":
            state.write_bytes(state.read_bytes()[:-100])
        case "no state":
            torch.save([1], state)
    with pytest.raises(UsageError, match=message) as refusal:
        run(reach(file), [folder], resume=True)
    assert "\n" not in str(refusal.value)


def test_the_learning_rate_warms_up_and_falls_like_half_a_cosine(file: Path) -> None:
    chosen = replace(read_settings(Settings, file), warm_up=100, lowest_rate=0.02)
    rates = [scheduled(step, 1000, chosen) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert max(rates) == rates[99]
    assert rates[500] == pytest.approx(0.51, abs=0.001)
    assert rates[-1] == pytest.approx(0.02, abs=0.001)


def test_settings_are_changed_with_the_type_that_they_have(file: Path) -> None:
    changes = ["photos=4", "loud=true", "target=2", "resumed_phases=first, second", "first.steps=7", "photos = 5"]
    found = read_settings(Settings, file, changes=changes)
    assert (found.photos, found.loud, found.target, found.first.steps) == (5, True, 2.0, 7)
    assert found.resumed_phases == ("first", "second")
    assert isinstance(found.target, float)
    assert found.second == read_settings(Settings, file).second
    assert keys_of(Settings)[-3:] == ["second.steps", "second.batch", "second.learning_rate"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "fotos=4",
            "--set: 'fotos' is no setting here: did you mean photos\\? Use one of .*, second.learning_rate",
        ),
        ("first=4", "--set: 'first' is no setting here"),
        ("first.crop=4", "--set: 'first.crop' is no setting here"),
        ("photos", "--set: 'photos' is not of the form key=value"),
        ("photos=many", "--set photos=many: 'many' is no int"),
        ("photos=0", "--set photos=0: numbers of photos must be above 0"),
        ("optimiser=sgd", "optimiser must be one of adam, muon"),
        ("loud=perhaps", "loud is 'perhaps', which is no bool"),
        ("first.learning_rate=0", "learning rates must be above 0"),
        ("resumed_phases=third", "resumed_phases are some of first, second"),
    ],
)
def test_a_wrong_change_is_one_line(change: str, message: str, file: Path) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        read_settings(Settings, file, changes=[change])
    assert "\n" not in str(refusal.value)


def test_a_profile_replaces_what_all_share(file: Path, folder: Path) -> None:
    file.write_text(f"{TEXT}[cpu]\nphotos = 2\n[cpu.first]\nsteps = 1\n[gpu]\n")
    assert (read_settings(Settings, file, "gpu").photos, read_settings(Settings, file, "cpu").photos) == (9, 2)
    found = read_settings(Settings, file, "cpu", ["first.batch=3"])
    assert (found.first.steps, found.first.batch) == (1, 3)
    with pytest.raises(UsageError, match="unknown profile 'tpu': use one of cpu, gpu"):
        read_settings(Settings, file, "tpu")
    lines: list[str] = []
    carry_out(
        Reach, [folder], file.parent / "out.txt", settings=file, device="cpu", changes=["report=1"], log=lines.append
    )
    assert any(line.startswith("first 1/1") for line in lines)


def test_a_file_without_profiles_has_none_to_choose(file: Path) -> None:
    with pytest.raises(UsageError, match="unknown profile 'cpu': .* has none"):
        read_settings(Settings, file, "cpu")
