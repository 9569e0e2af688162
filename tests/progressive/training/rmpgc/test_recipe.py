from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from progressive.__main__ import main
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS, Coding, Model
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, PLANES, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.errors import RunError, UsageError
from progressive.photos import downscale, sample_photo
from progressive.training.checkpoints import Agenda, Checkpoints
from progressive.training.data import load_sets
from progressive.training.fit import Fit
from progressive.training.loop import Training
from progressive.training.recipe import run
from progressive.training.rmpgc.conditions import BASE, draw_states
from progressive.training.rmpgc.export import fitted_coding
from progressive.training.rmpgc.model import Semantics, Trainee
from progressive.training.rmpgc.phases import PHASES
from progressive.training.rmpgc.photos import PhotoPool, watched
from progressive.training.rmpgc.recipe import Rmpgc, train
from progressive.training.rmpgc.settings import SHIPPED, PhaseSettings, Settings
from progressive.training.rmpgc.stage import Stage
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

CPU = torch.device("cpu")
ALONE = Worker(0, 1, CPU)
PHASE = PhaseSettings(steps=4, batch=2, crop=64, learning_rate=1e-3)
QUICK = replace(
    read_settings(Settings, SHIPPED, "cpu"),
    photos=3,
    held_out=1,
    calibration_photos=1,
    coded_crops=2,
    warm_up=1,
    report=2,
    checkpoint=2,
    context=PHASE,
    transform=PHASE,
    entropy=PHASE,
    analysis=PHASE,
    synthesis=PHASE,
)


FIVE_STEPS = replace(QUICK, **{name: replace(PHASE, steps=5, batch=1) for name in PHASES})


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=12_000)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def pool() -> PhotoPool:
    return PhotoPool([sample_photo("astronaut")[:128, 64:256]], CPU)


def staged(
    name: str, model: Trainee, settings: Settings, pool: PhotoPool, held_out: Sequence[torch.Tensor] = ()
) -> Stage:
    def coding() -> Coding:
        return fitted_coding(model.networks, model.analyse, pool.whole(settings.calibration_photos))

    return PHASES[name](model, Semantics(), settings, pool, coding, held_out)


def training(
    state: Path, pool: PhotoPool, plan: Agenda, settings: Settings, log: Callable[[str], None], *, seed: int = 0
) -> Training[Trainee]:
    torch.manual_seed(seed)
    model = Trainee()
    phases = {name: partial(staged, name, model, settings, pool) for name in PHASES}
    checkpoints = Checkpoints(state, "rmpgc")
    return Training(model, phases, plan, settings, worker=ALONE, checkpoints=checkpoints, log=log)


def recipe(settings: Settings, out: Path, log: Callable[[str], None]) -> Rmpgc:
    return Rmpgc(settings, out=out, seed=0, worker=ALONE, log=log)


def weights_of(model: Trainee) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in model.state_dict().items()}


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_changes_what_it_trains_and_its_loss_falls_on_a_fixed_batch(name: str, pool: PhotoPool) -> None:
    torch.manual_seed(0)
    own = replace(PHASE, steps=8)
    settings = replace(QUICK, **{name: own}, rounded_share=0.0, averaging=0.5)
    phase = staged(name, Trainee(), settings, pool)
    phase.prepare(np.random.default_rng(0), fresh=True)
    fit = Fit(phase, settings)
    before = weights_of(phase.model)
    losses = [float(fit.learn(np.random.default_rng(2), 1e-3, ALONE).total.detach()) for _ in range(own.steps)]
    assert losses[-1] < losses[0]
    changed = {n.split(".")[0] for n, t in phase.model.state_dict().items() if not torch.equal(t, before[n])}
    expected = {
        "context": {"context"},
        "transform": {"context", "transform"},
        "entropy": {"networks"},
        "analysis": {"analysis", "synthesis"},
        "synthesis": {"synthesis"},
    }
    assert changed == expected[name]
    average = torch.cat([p.flatten() for p in fit.average.parameters()])
    assert not torch.equal(average, torch.cat([p.flatten() for p in phase.model.parameters()]))


@pytest.mark.parametrize(
    ("name", "figures"),
    [("context", PLANES), ("entropy", PLANES + 1), ("analysis", PLANES + 1), ("synthesis", LEVELS + 1)],
)
def test_a_phase_reports_how_good_the_model_is_at_every_plane_or_level(
    name: str, figures: int, pool: PhotoPool
) -> None:
    """Better the finer; an untrained synthesis gains nothing."""
    torch.manual_seed(0)
    watched = [pool.photos[0][None, :, :128, :64].float() / 255]
    phase = staged(name, Trainee(), QUICK, pool, watched)
    phase.prepare(np.random.default_rng(0), fresh=True)
    line = phase.report(phase.model)
    assert "\n" not in line
    found = [float(x) for x in re.findall(r"(?<![(\d.+-])\d+\.\d+", line)]
    if name in ("context", "analysis"):
        bits, quality = found[::2], found[1::2]
        assert len(bits) == figures
        assert quality == sorted(quality)
    elif name == "entropy":
        assert len(found) == figures + 1
        assert sum(found[:-1]) == pytest.approx(found[-1], abs=0.001)
    else:
        assert line.count("(+0.00)") == figures
        assert found == sorted(found)
        assert len(found) == figures


THREE = ("context", "transform", "entropy")


@pytest.fixture(scope="module")
def uninterrupted(pool: PhotoPool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """What a run of three phases ends with."""
    plan = Agenda(THREE, resumed=False, seed=3)
    whole = training(tmp_path_factory.mktemp("whole") / "whole.state", pool, plan, FIVE_STEPS, silent)
    whole.run()
    return weights_of(whole.model)


@pytest.mark.parametrize("line", ["context 4/", "transform 2/", "entropy 4/"])
def test_an_interrupted_run_that_goes_on_ends_as_one_that_was_not(
    line: str, pool: PhotoPool, uninterrupted: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    plan, state = Agenda(THREE, resumed=False, seed=3), tmp_path / "halves.state"

    def interrupt(text: str) -> None:
        if text.startswith(line):
            raise KeyboardInterrupt

    halves = training(state, pool, plan, FIVE_STEPS, interrupt)
    with pytest.raises(KeyboardInterrupt):
        halves.run()
    again = training(state, pool, plan, FIVE_STEPS, silent, seed=9)
    found, checkpoint = again.checkpoints.read(CPU, FIVE_STEPS.phases())
    assert found == plan
    again.run(checkpoint)
    for name, tensor in uninterrupted.items():
        assert torch.equal(again.model.state_dict()[name], tensor), name


def test_networks_are_rounded_in_the_last_steps_of_their_phase_alone(pool: PhotoPool) -> None:
    model = Trainee()
    settings = replace(QUICK, rounded_share=0.25, entropy=replace(PHASE, steps=100))
    phases = {name: staged(name, model, settings, pool) for name in PHASES}
    found = [phases["entropy"].rounding(step) for step in (0, 74, 75, 99)]
    assert found == ["none", "none", *["straight-through"] * 2]
    assert {phases[name].rounding(99) for name in ("context", "transform", "synthesis")} == {"none"}


def test_filters_start_small_where_the_transform_knows_nothing(pool: PhotoPool) -> None:
    """Of none at all, opacities would learn nothing."""
    phase = staged("transform", Trainee(), QUICK, pool)
    weight = phase.model.transform.update.filters.weight
    phase.prepare(np.random.default_rng(0), fresh=False)
    assert not weight.any()
    phase.prepare(np.random.default_rng(0), fresh=True)
    assert 0 < float(weight.detach().abs().max()) < 0.02


def test_a_run_writes_weights_that_are_trained_on_and_leaves_nothing_else(folder: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "rmpgc.safetensors", list[str]()
    short = replace(QUICK, **{name: replace(PHASE, steps=2) for name in PHASES}, resumed_phases=("entropy",))
    run(recipe(short, out, lines.append), [folder])
    assert list(tmp_path.iterdir()) == [out]
    assert [line.split()[0] for line in lines if " 2/2, " in line] == list(PHASES)
    first = out.read_bytes()
    run(recipe(short, out, lines.append), [folder], resume=True)
    assert out.read_bytes() != first
    assert [line.split()[0] for line in lines if " 2/2, " in line][len(PHASES) :] == list(short.resumed_phases)


def test_a_run_that_cannot_write_goes_on_from_its_state(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rmpgc.safetensors"
    settings = replace(QUICK.limited(photos=None, steps=0), context=replace(PHASE, steps=1))

    def full(*_: object) -> None:
        raise RunError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Rmpgc, "write", full)
        with pytest.raises(RunError):
            run(recipe(settings, out, silent), [folder])
    assert [p.name for p in tmp_path.iterdir()] == ["rmpgc.state"]
    run(recipe(settings, out, silent), [folder], resume=True)
    assert [p.name for p in tmp_path.iterdir()] == ["rmpgc.safetensors"]


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(
    pool: PhotoPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(QUICK, entropy=replace(PHASE, learning_rate=float("nan")))
    broken = training(tmp_path / "broken.state", pool, Agenda(("entropy",), resumed=False, seed=0), settings, silent)
    with pytest.raises(RunError, match="entropy phase diverged at step 2: lower its learning_rate"):
        broken.run()
    assert not list(tmp_path.iterdir())


def test_a_run_of_the_encoder_and_the_decoder_alone_keeps_how_they_are_coded(folder: Path, tmp_path: Path) -> None:
    """What the weights before have coded opens with those after, whose encoder and synthesis have changed."""
    out = tmp_path / "weights.safetensors"
    out.write_bytes(WEIGHTS.read_bytes())
    settings = replace(QUICK, resumed_phases=("analysis", "synthesis"), keep_coding=True)
    run(recipe(settings, out, silent), [folder], resume=True)
    before, after = Model.load(), Model.load(out)
    assert (after.id, after.linear_id) == (before.id, before.linear_id)
    assert after.synthesis_id != before.synthesis_id
    assert after.analysis is not None
    assert any(weight.any() for weight in after.analysis.leave.parameters())


def test_states_are_drawn_over_all_conditions(pool: PhotoPool) -> None:
    photos = pool.draw(np.random.default_rng(0), 1, 128).expand(400, -1, -1, -1)
    states = draw_states(photos, Semantics().importance, np.random.default_rng(1))
    assert set(states.flatten().tolist()) == set(range(1, state_of(SCALES, LEVELS) + 1))
    even = (states == states[:, :1, :1]).flatten(1).all(1)
    base = (states == BASE).flatten(1).all(1)
    missing = (states < BASE).flatten(1).all(1)
    assert 0.15 < base.float().mean() < 0.4
    assert 0.01 < missing.float().mean() < 0.08
    assert 0.5 < even.float().mean() < 0.8


def test_crops_are_mirrored_and_photos_to_watch_are_whole_blocks() -> None:
    ramp = np.linspace(0, 255, 80).astype(np.uint8)[None, :, None].repeat(70, 0).repeat(3, 2)
    crops = PhotoPool([ramp], CPU).draw(np.random.default_rng(0), 16, 64)
    assert crops.shape == (16, 3, 64, 64)
    rising = crops[:, 0, 0, -1] > crops[:, 0, 0, 0]
    assert rising.any()
    assert not rising.all()
    found = watched([ramp, ramp[:60], np.zeros((130, 70, 3), np.uint8)], CPU)
    assert [tuple(p.shape) for p in found] == [(1, 3, 64, 64), (1, 3, 128, 64)]


def test_few_photos_are_not_set_aside_and_small_ones_not_trained_on(folder: Path) -> None:
    own = load_sets([folder], None, limit=9, set_aside=1, side=64, seed=0)
    assert (len(own.training), len(own.held_out)) == (3, 0)
    given = load_sets([folder], folder, limit=9, set_aside=2, side=64, seed=0)
    assert (len(given.training), len(given.held_out)) == (3, 2)
    with pytest.raises(UsageError, match="none of the photos is 1024 pixels high and wide"):
        load_sets([folder], None, limit=9, set_aside=1, side=1024, seed=0)


def test_both_profiles_are_shipped_and_can_be_limited() -> None:
    cpu, gpu = read_settings(Settings, SHIPPED, "cpu"), read_settings(Settings, SHIPPED, "gpu")
    assert gpu.photos > cpu.photos
    assert all(gpu.phase(name).batch > cpu.phase(name).batch for name in PHASES)
    limited = cpu.limited(photos=7, steps=0)
    assert limited.photos == 7
    assert [limited.phase(name).steps for name in PHASES] == [0] * len(PHASES)
    assert limited.entropy.batch == cpu.entropy.batch


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("averaging = 0.998", "averaging = 1.5", "averaging must lie in"),
        ("averaging = 0.998", "averageing = 0.998", "averageing is no setting"),
        ("averaging = 0.998", 'averaging = "much"', "averaging is 'much', which is no float"),
        ("crop = 256", "crop = 100", "crops must be multiples of 64"),
        ("[cpu.synthesis]", "[other.synthesis]", r"\[cpu.synthesis\]: .* is missing"),
        ("[cpu.context]", "[cpu.joint]", r"\[cpu\]: joint is no setting"),
        ("\nbatch = 6 ", "\n", r"\[cpu.context\]: batch is missing"),
        ("coded_crops = 1500", "coded_crops = 0", "numbers of photos must be above 0"),
        ("look_weight = 0.1", "look_weight = -0.1", "weights must not be negative"),
        ("rounded_share = 0.3", "rounded_share = 1.3", "rounded_share must lie in"),
        ('"synthesis"]', '"joint"]', "resumed_phases are some of context, transform, entropy, analysis, synthesis"),
        ("keep_coding = false", "keep_coding = true", "keep_coding: entropy would change it"),
        ("learning_rate = 5e-3", "learning_rate = 0.0", "learning rates must be above 0"),
        ("[cpu]", "[cpu", "cannot read the settings"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(UsageError, match=message) as raised:
        read_settings(Settings, file, "cpu")
    assert "\n" not in str(raised.value)


def test_wrong_calls_are_one_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rmpgc.safetensors"
    with pytest.raises(UsageError, match="nothing to resume: there is no"):
        train([folder], out, resume=True, log=silent)
    with pytest.raises(UsageError, match="unknown device 'tpu': use one of auto, cpu, cuda"):
        train([folder], out, device="tpu", log=silent)
    with pytest.raises(UsageError, match="unknown profile 'tpu'"):
        train([folder], out, device="cpu", profile="tpu", log=silent)


def test_the_command_line_says_in_a_line_what_is_wrong(call: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rmpgc.safetensors"
    arguments = ("train", "rmpgc", "--data", folder, "--out", out, "--device", "cpu")
    refused = call(main, *arguments)
    assert refused.err == "error: none of the photos is 256 pixels high and wide: give larger ones, or crop less\n"
    refused = call(main, *arguments, "--set", "synthesis.stepps=3")
    assert refused.status == 2
    assert refused.err.startswith(
        "error: --set: 'synthesis.stepps' is no setting here: did you mean synthesis.steps? Use one of photos, "
    )
    assert "synthesis.steps, " in refused.err
    assert refused.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_training_loads_nothing_that_a_bare_machine_lacks() -> None:
    script = (
        "import sys, progressive.training.rmpgc.recipe\n"
        "print({'constriction', 'matplotlib', 'pydantic', 'rich', 'scipy', 'skimage', 'typer'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
