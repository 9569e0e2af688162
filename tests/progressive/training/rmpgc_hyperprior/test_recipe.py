from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE, CHANNELS, SIDE
from progressive.codecs.rmpgc.backbones.hyperprior.model import ANALYSIS, SYNTHESIS, Model, below
from progressive.errors import UsageError
from progressive.photos import downscale, sample_photo
from progressive.training.cells import fit_cells
from progressive.training.conditions import EVERYTHING, NOTHING, SALIENT, blocks_under
from progressive.training.crops import CropPool, Crops, watched
from progressive.training.fit import Fit
from progressive.training.recipe import run
from progressive.training.rmpgc.model import Semantics
from progressive.training.rmpgc_hyperprior.conditions import drawn_conditions
from progressive.training.rmpgc_hyperprior.export import fitted, write_model
from progressive.training.rmpgc_hyperprior.model import Trainee
from progressive.training.rmpgc_hyperprior.recipe import PHASES, RmpgcHyperprior
from progressive.training.rmpgc_hyperprior.second import Second
from progressive.training.rmpgc_hyperprior.settings import SHIPPED, PhaseSettings, Settings
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

CPU = torch.device("cpu")
ALONE = Worker(0, 1, CPU)
PHASE = PhaseSettings(steps=2, batch=3, crop=64, learning_rate=1e-3)
QUICK = replace(
    read_settings(Settings, SHIPPED),
    photos=3,
    held_out=1,
    calibration_photos=1,
    adversarial_weight=0.5,
    warm_up=1,
    report=1,
    checkpoint=1,
    first=PHASE,
    rounded=PHASE,
    second=PHASE,
)


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=12_000)).save(root / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def pool() -> CropPool:
    return CropPool([sample_photo("astronaut")[:128, 64:256]], CPU)


@pytest.fixture(scope="module")
def semantics() -> Semantics:
    return Semantics()


def recipe(settings: Settings, out: Path, log: Callable[[str], None] = silent) -> RmpgcHyperprior:
    return RmpgcHyperprior(settings, out=out, seed=0, worker=ALONE, log=log)


def started() -> Trainee:
    torch.manual_seed(0)
    trainee = Trainee()
    fit_cells(trainee.encoder.linear, [sample_photo("astronaut")[:128, 64:256]])
    return trainee


MEASURES = {"first": "cost", "rounded": "base bpp", "second": "features"}
TRAINED = {
    "first": {"priors", "encoder", "decoder", "base_entropy", "enhance_entropy"},
    "rounded": {"priors"},
    "second": {"decoder", "discriminators", "usual"},
}


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_changes_what_it_trains_and_its_loss_falls_on_a_fixed_batch(
    name: str, pool: CropPool, semantics: Semantics
) -> None:
    settings = replace(QUICK, averaging=0.5, flat_share=0.0, **dict.fromkeys(PHASES, replace(PHASE, steps=8)))
    phase = PHASES[name](started(), settings, semantics, pool)
    phase.prepare(np.random.default_rng(0), fresh=True)
    fit = Fit(phase, settings)
    before = {n: t.clone() for n, t in phase.model.state_dict().items()}
    losses = [fit.learn(np.random.default_rng(2), 1e-3, ALONE) for _ in range(8)]
    assert float(losses[-1].figures[MEASURES[name]]) < float(losses[0].figures[MEASURES[name]])
    changed = {n for n, t in phase.model.state_dict().items() if not torch.equal(t, before[n])}
    assert {n.split(".")[0] for n in changed} == TRAINED[name]
    if name == "second":
        assert {n.split(".")[1] for n in changed if n.startswith("decoder")} == {"synthesis"}


def test_progress_is_told_on_photos_set_aside(pool: CropPool, semantics: Semantics) -> None:
    trainee, held_out = started(), watched([sample_photo("astronaut")[:70, 64:200]], CPU)
    for kind in PHASES.values():
        line = kind(trainee, QUICK, semantics, pool, held_out).report(trainee)
        assert [part.split(":")[0] for part in line.split(", ")] == ["U = 0", "U = B", "U = 1"]
        assert kind(trainee, QUICK, semantics, pool).report(trainee) == ""


def test_conditions_are_drawn_evenly_and_b_is_what_is_salient() -> None:
    drawn = [drawn_conditions(6, np.random.default_rng(seed)) for seed in range(5)]
    assert all(sorted(each) == [0, 0, 1, 1, 2, 2] for each in drawn)
    assert len({tuple(each) for each in drawn}) > 1
    importance = torch.tensor([[0.1, 0.2, 0.8, 0.9]]).view(1, 2, 2).expand(3, 2, 2).bfloat16()
    blocks = blocks_under([NOTHING, SALIENT, EVERYTHING], torch.zeros(3, 3, 128, 128), lambda p: importance[: len(p)])
    assert blocks.flatten(1).tolist() == [[False] * 4, [False, False, True, True], [True] * 4]


def test_what_is_expected_is_what_was_wanted_rounded_and_gradients_pass() -> None:
    trainee = started()
    photos = torch.from_numpy(sample_photo("astronaut")[:64, 64:128].copy()).permute(2, 0, 1)[None].float() / 255
    encoded = trainee.encoded(photos, np.random.default_rng(0))
    assert encoded.base.index.shape == (1, BASE, SIDE, SIDE)
    assert encoded.enhance.index.shape == (1, CHANNELS, SIDE, SIDE)
    assert torch.equal(encoded.base.expected, encoded.base.index)
    base, enhance = trainee.bits(encoded, np.random.default_rng(1))
    assert base.shape == enhance.shape == (1, 1, 1)
    (base.sum() + enhance.sum()).backward()
    assert bool(trainee.encoder.analysis.leave.weight.grad.any())
    assert bool(trainee.encoder.base_hyper.start.weight.grad.any())


def test_what_training_takes_bits_for_is_about_what_streams_cost(tmp_path: Path) -> None:
    """With the same latents: tables are counted on the very photo, so a little less."""
    trainee, out = started(), tmp_path / "own.safetensors"
    photo = torch.from_numpy(sample_photo("astronaut")[:256, :256].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        wanted = sum(float(bits.sum()) for bits in trainee.bits(trainee.encoded(photo)))
    write_model(out, trainee, fitted(trainee, [photo]))
    model = Model.load(out)
    assert all(bool(part.any()) for part in model.latent_of(photo)[0])
    assert 1000 < wanted < 10 * photo[0, 0].numel()


def test_discriminators_and_decoder_learn_apart(pool: CropPool, semantics: Semantics) -> None:
    """What deceives does not reach the discriminators, what tells apart does not reach the decoder."""
    trainee = started()
    phase = Second(trainee, QUICK, semantics, pool)
    photos = pool.draw(np.random.default_rng(0), 1, 64).photos
    picture = photos.clone().requires_grad_()
    deceived, told = phase._adversarial(picture, photos, torch.ones(1, 1, 1, dtype=torch.bool))
    judges = list(trainee.discriminators.parameters())
    assert torch.autograd.grad(deceived, judges, allow_unused=True, retain_graph=True) == (None,) * len(judges)
    assert bool(torch.autograd.grad(deceived, picture)[0].any())
    assert torch.autograd.grad(told, picture, allow_unused=True, retain_graph=True) == (None,)
    assert all(bool(gradient.any()) for gradient in torch.autograd.grad(told, judges[:-1]))


def test_losses_are_of_one_size(pool: CropPool, semantics: Semantics) -> None:
    """Each is divided by its historical mean: of the first it is the loss itself."""
    phase = Second(started(), QUICK, semantics, pool)
    first = [float(phase._scaled("features", torch.tensor(value))) for value in (5.0, 5.0, 10.0)]
    assert first == pytest.approx([1.0, 1.0, 10 / 5.05])


@pytest.mark.parametrize(
    ("left_out", "gone"), [("feature_weight", {"features"}), ("adversarial_weight", {"deceiving", "telling apart"})]
)
def test_a_loss_of_no_weight_is_left_out(left_out: str, gone: set[str], pool: CropPool, semantics: Semantics) -> None:
    settings = replace(QUICK, flat_share=0.0)
    figures = [
        set(Second(started(), each, semantics, pool).loss(np.random.default_rng(0)).figures)
        for each in (settings, replace(settings, **{left_out: 0.0}))
    ]
    assert figures[0] - figures[1] == gone


def test_pictures_of_a_single_colour_are_compared_by_error_alone(pool: CropPool, semantics: Semantics) -> None:
    phase = Second(started(), QUICK, semantics, pool)
    crops = Crops(torch.full((2, 3, 64, 64), 0.3), torch.ones(2, dtype=torch.bool))
    assert set(phase.loss_of(crops, np.random.default_rng(0)).figures) == {"PSNR dB"}


def test_the_first_phase_can_match_features(pool: CropPool, semantics: Semantics) -> None:
    settings = replace(QUICK, first_feature_weight=0.1)
    assert "features" in PHASES["first"](started(), settings, semantics, pool).loss(np.random.default_rng(0)).figures


def test_a_run_ends_in_weights_that_load_and_can_be_trained_on(folder: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "own.safetensors", list[str]()
    run(recipe(QUICK, out, lines.append), [folder])
    assert list(tmp_path.iterdir()) == [out]
    assert [line.split()[0] for line in lines if " 2/2, " in line] == list(PHASES)
    first, model = load_file(out), Model.load(out)
    assert len(model.id) == 8
    only = replace(QUICK, resumed_phases=("second",))
    run(recipe(only, out, lines.append), [folder], resume=True)
    again = load_file(out)
    assert all(torch.equal(tensor, below(again, ANALYSIS)[name]) for name, tensor in below(first, ANALYSIS).items())
    assert any(not torch.equal(t, below(again, SYNTHESIS)[name]) for name, t in below(first, SYNTHESIS).items())
    assert Model.load(out).id == model.id


@pytest.fixture(scope="module")
def uninterrupted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    out = tmp_path_factory.mktemp("whole") / "own.safetensors"
    run(recipe(QUICK, out), [folder])
    return load_file(out)


@pytest.mark.parametrize("line", ["first 2/", "rounded 2/", "second 1/"])
def test_an_interrupted_run_that_goes_on_ends_as_one_that_was_not(
    line: str, folder: Path, tmp_path: Path, uninterrupted: dict[str, torch.Tensor]
) -> None:
    out = tmp_path / "own.safetensors"

    def interrupt(text: str) -> None:
        if text.startswith(line):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(QUICK, out, interrupt), [folder])
    assert [path.name for path in tmp_path.iterdir()] == ["own.state"]
    run(recipe(QUICK, out), [folder], resume=True)
    found = load_file(out)
    assert found.keys() == uninterrupted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in uninterrupted.items())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("crop = 192", "crop = 100", "crops must be multiples of 64"),
        ("base_mse = ", "base_mse = 1 #", "base_mse and full_mse must rise from above 0"),
        ("flat_share = 0.05", "flat_share = 1.5", r"flat_share must lie in 0\.\.1"),
        ("feature_weight = 1.0", "feature_weight = -1.0", "weights of losses must not be negative"),
        ("discriminator_share = 0.3", "discriminator_share = 0", "learning rates must be above 0"),
        ("calibration_photos = 200", "calibration_photos = 0", "numbers of photos must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    assert old in SHIPPED.read_text()
    file.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(UsageError, match=message) as raised:
        read_settings(Settings, file)
    assert "\n" not in str(raised.value)


def test_weights_of_another_architecture_are_not_trained_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.safetensors"
    out.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot read the weights"):
        run(recipe(QUICK, out), [folder], resume=True)
