from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.backbones.lsgan.layers import base_of, decomposed, masked
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import nearest
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, VARIANTS
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import UsageError
from progressive.photos import downscale, sample_photo
from progressive.training.cells import fit_cells
from progressive.training.crops import CropPool, watched
from progressive.training.features import Features
from progressive.training.fit import Fit
from progressive.training.recipe import run
from progressive.training.rmpgc_lsgan.conditions import conditions_of, masks
from progressive.training.rmpgc_lsgan.model import Trainee
from progressive.training.rmpgc_lsgan.phases import Weighted
from progressive.training.rmpgc_lsgan.recipe import RmpgcLsgan
from progressive.training.rmpgc_lsgan.settings import SHIPPED, PhaseSettings, Settings
from progressive.training.rmpgc_lsgan.start import start
from progressive.training.settings import read_settings
from progressive.training.workers import Worker
from progressive.transforms.cells import CellTransform

CPU = torch.device("cpu")
ALONE = Worker(0, 1, CPU)
FIRST = PhaseSettings(2, 3, 1e-3, 64, error_weight=1, feature_weight=0, adversarial_weight=0, rate_weight=0.05)
SECOND = replace(FIRST, feature_weight=1.0, adversarial_weight=0.5)
QUICK = replace(
    read_settings(Settings, SHIPPED),
    photos=3,
    held_out=1,
    calibration_photos=2,
    warm_up=1,
    report=1,
    checkpoint=1,
    reconstruction=FIRST,
    adversarial=SECOND,
)


def silent(_: str) -> None:
    pass


def halves(photos: torch.Tensor) -> torch.Tensor:
    """Meaning lies on the left."""
    rows, columns = (n // 64 for n in photos.shape[2:])
    return torch.linspace(1, 0, columns).expand(len(photos), rows, columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=20_000)).save(root / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def pool() -> CropPool:
    return CropPool([sample_photo("astronaut")[:192, 64:256]], CPU)


def phase(name: str, pool: CropPool, settings: Settings = QUICK, held_out: Sequence[torch.Tensor] = ()) -> Weighted:
    torch.manual_seed(0)
    trainee = Trainee()
    start(trainee.generator, VARIANTS[settings.variant], [pool.photos[0].permute(1, 2, 0).numpy()])
    return Weighted(name, trainee, settings, pool, Features(), halves, held_out)


def recipe(settings: Settings, out: Path, log: Callable[[str], None] = silent) -> RmpgcLsgan:
    return RmpgcLsgan(settings, out=out, seed=0, worker=ALONE, log=log)


@pytest.mark.parametrize("name", ["reconstruction", "adversarial"])
def test_a_phase_changes_what_it_trains_and_its_loss_falls_on_a_fixed_batch(name: str, pool: CropPool) -> None:
    own = phase(name, pool, replace(QUICK, averaging=0.5, flat_share=0.0))
    fit = Fit(own, own.settings)
    before = {n: t.clone() for n, t in own.model.state_dict().items()}
    losses = [fit.learn(np.random.default_rng(2), 2e-3, ALONE) for _ in range(8)]
    assert float(losses[-1].figures["PSNR dB"]) > float(losses[0].figures["PSNR dB"])
    changed = {n.split(".")[0] for n, t in own.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"generator", "means"} | ({"discriminators"} if name == "adversarial" else set())


def test_terms_are_divided_by_what_they_have_been() -> None:
    trainee = Trainee()
    assert float(trainee.scaled("rate", torch.tensor(5.0))) == 1
    for _ in range(600):
        last = trainee.scaled("rate", torch.tensor(0.01))
    assert float(last) == pytest.approx(1, rel=0.02)
    assert float(trainee.scaled("error", torch.tensor(7.0))) == 1


def test_conditions_are_those_of_the_variants(pool: CropPool) -> None:
    assert [len(conditions_of(VARIANTS[name])) for name in ("mpgc-1", "mpgc-2", "rmpgc")] == [1, 2, 3]
    photos = torch.rand(6, 3, 128, 128)
    for name, shares in {"mpgc-1": {1.0}, "mpgc-2": {0.5, 1.0}, "rmpgc": {0.0, 0.5, 1.0}}.items():
        found = masks(photos, VARIANTS[name], halves, first=0)
        assert set(found.mean((1, 2)).tolist()) == shares
    salient = masks(photos, VARIANTS["rmpgc"], halves, first=1)[0]
    assert salient.tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(("name", "kept"), [("mpgc-1", CHANNELS), ("rmpgc", CHANNELS - 1)])
def test_the_start_gives_back_what_the_transform_keeps(name: str, kept: int) -> None:
    """Of layered latents the second channel is free for what the first one leaves over."""
    photo = sample_photo("coffee")[:160, :240].copy()
    generator, plain = Generator(), CellTransform(kept, 8)
    start(generator, VARIANTS[name], [photo])
    fit_cells(plain, [photo])
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    latent = generator.linear.analyse(pixels)
    assert torch.allclose(generator.linear.synthesise(latent), plain.synthesise(plain.analyse(pixels)), atol=1e-4)
    spreads = latent[0].flatten(1).std(1)
    if name == "rmpgc":
        assert spreads.tolist() == pytest.approx([1.1, 0, *[1.1] * 6], rel=1e-2)


def test_the_second_layer_refines_the_first() -> None:
    """Brightness is five times as exact as one layer of five levels could say it."""
    photo = sample_photo("coffee")[:160, :240].copy()
    variant, generator = VARIANTS["rmpgc"], Generator()
    start(generator, variant, [photo])
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    latent = generator.linear.analyse(pixels)
    levels = nearest(decomposed(latent, variant))
    alone = levels * (torch.arange(CHANNELS) != 1).view(1, -1, 1, 1)
    brightness = [torch.nn.functional.avg_pool2d(generator.linear.synthesise(z), 8) for z in (latent, levels, alone)]
    errors = [float((found - brightness[0]).detach().square().mean()) for found in brightness[1:]]
    assert errors[0] < 0.4 * errors[1]


def test_without_layers_a_masked_position_shows_the_first_coefficient() -> None:
    """The channels' mean is turned to be it (Eq. 14)."""
    photo = sample_photo("coffee")[:160, :240].copy()
    variant, generator, plain = VARIANTS["mpgc-2"], Generator(), CellTransform(CHANNELS, 8)
    start(generator, variant, [photo])
    fit_cells(plain, [photo])
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    latent = generator.linear.analyse(pixels)
    nothing = masked(base_of(latent, variant), latent, torch.zeros_like(latent[:, :1]), variant)
    first = plain.analyse(pixels) * (torch.arange(CHANNELS) == 0).view(1, -1, 1, 1)
    apart = generator.linear.synthesise(nothing) - plain.synthesise(first)
    assert float(apart.detach().abs().max()) < 1e-3


def test_photos_of_a_single_colour_are_a_start_too() -> None:
    generator = Generator()
    start(generator, VARIANTS["rmpgc"], [np.full((64, 64, 3), 90, np.uint8)])
    assert all(bool(torch.isfinite(p).all()) for p in generator.linear.parameters())


def test_progress_is_told_on_photos_set_aside(pool: CropPool) -> None:
    held_out = watched([sample_photo("astronaut")[:70, 64:200]], CPU)
    own = phase("reconstruction", pool, held_out=held_out)
    assert own.report(own.model).startswith("base ")
    assert phase("adversarial", pool).report(own.model) == ""


def test_a_batch_of_single_colours_has_no_features(pool: CropPool) -> None:
    figures = phase("adversarial", pool, replace(QUICK, flat_share=0.999999)).loss(np.random.default_rng(0)).figures
    assert "flat dB" in figures
    assert "features" not in figures
    assert "deceiving" not in figures


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_ends_in_weights_that_code_photos_and_can_be_trained_on(
    variant: str, folder: Path, tmp_path: Path
) -> None:
    out, lines, settings = tmp_path / "own.safetensors", list[str](), replace(QUICK, variant=variant)
    run(recipe(settings, out, lines.append), [folder])
    assert list(tmp_path.iterdir()) == [out]
    assert [line.split()[0] for line in lines if " 2/2, " in line] == ["reconstruction", "adversarial"]
    codec, photo = Rmpgc(Lsgan.load(out)), sample_photo("astronaut")[:100, :120]
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments)
    assert decoder.status.decoded == len(stream.segments)
    first = out.read_bytes()
    run(recipe(settings, out, lines.append), [folder], resume=True)
    assert out.read_bytes() != first
    other = next(name for name in VARIANTS if name != variant)
    with pytest.raises(UsageError, match=f"of the variant {variant}: use --set variant={variant}"):
        run(recipe(replace(QUICK, variant=other), out), [folder], resume=True)


def test_an_interrupted_run_that_goes_on_ends_as_one_that_was_not(folder: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.safetensors", tmp_path / "own.safetensors"
    run(recipe(QUICK, whole), [folder])

    def interrupt(text: str) -> None:
        if text.startswith("adversarial 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(QUICK, out, interrupt), [folder])
    with pytest.raises(UsageError, match="mpgc-1"):
        run(recipe(replace(QUICK, variant="mpgc-1"), out), [folder], resume=True)
    run(recipe(QUICK, out), [folder], resume=True)
    expected, found = load_file(whole), load_file(out)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
