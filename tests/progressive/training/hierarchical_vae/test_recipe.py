from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from progressive.codecs.hierarchical_vae.codec import HierarchicalVae as Codec
from progressive.codecs.hierarchical_vae.latents import LATENTS
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.rates import FINEST
from progressive.errors import UsageError
from progressive.metrics.semantic import blockwise_si_ssim
from progressive.photos import downscale, sample_photo
from progressive.training.fit import Fit
from progressive.training.hierarchical_vae.model import Trainee
from progressive.training.hierarchical_vae.phases import PHASES, si_ssim, truncated
from progressive.training.hierarchical_vae.photos import PhotoPool, watched
from progressive.training.hierarchical_vae.recipe import HierarchicalVae, train
from progressive.training.hierarchical_vae.settings import SHIPPED, PhaseSettings, Settings
from progressive.training.recipe import run
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

CPU = torch.device("cpu")
ALONE = Worker(0, 1, CPU)
PHASE = PhaseSettings(steps=2, batch=2, crop=64, learning_rate=1e-3)
QUICK = replace(
    read_settings(Settings, SHIPPED, "cpu"),
    photos=3,
    held_out=1,
    calibration_photos=1,
    warm_up=1,
    report=1,
    checkpoint=1,
    prior=PHASE,
    joint=PHASE,
    rounded=PHASE,
)


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


def recipe(settings: Settings, out: Path, log: Callable[[str], None] = silent) -> HierarchicalVae:
    return HierarchicalVae(settings, out=out, seed=0, worker=ALONE, log=log)


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_changes_what_it_trains_and_its_loss_falls_on_a_fixed_batch(name: str, pool: PhotoPool) -> None:
    torch.manual_seed(0)
    own = replace(PHASE, steps=8)
    settings = replace(QUICK, prior=own, joint=own, rounded=own, averaging=0.5, highest_gamma=60)
    phase = PHASES[name](Trainee(), settings, pool)
    phase.prepare(np.random.default_rng(0), fresh=True)
    fit = Fit(phase, settings)
    before = {n: t.clone() for n, t in phase.model.state_dict().items()}
    losses = [fit.learn(np.random.default_rng(2), 1e-3, ALONE) for _ in range(8)]
    measure = "cost" if name == "joint" else "bpp"
    assert float(losses[-1].figures[measure]) < float(losses[0].figures[measure])
    changed = {n.split(".")[0] for n, t in phase.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == ({"prior", "bottom_up", "top_down"} if name == "joint" else {"prior"})


def test_progress_is_told_at_every_watched_rate(pool: PhotoPool) -> None:
    photos = watched([sample_photo("astronaut")[:64, 64:192]], CPU)
    phase = PHASES["joint"](Trainee(), QUICK, pool, photos)
    line = phase.report(phase.model)
    assert line.count("bpp") == line.count("(+0.00) dB") == 4
    assert PHASES["joint"](Trainee(), QUICK, pool).report(phase.model) == ""


def test_the_prior_computes_in_integers_towards_the_end(pool: PhotoPool) -> None:
    settings = replace(QUICK, rounded_share=0.25, joint=replace(PHASE, steps=100))
    phases = {name: PHASES[name](Trainee(), settings, pool) for name in PHASES}
    assert [phases["joint"].rounding(step) for step in (0, 74, 75)] == ["none", "none", "straight-through"]
    assert phases["prior"].rounding(99) == "none"
    assert phases["rounded"].rounding(0) == "straight-through"


def test_a_run_ends_in_weights_that_code_photos_and_can_be_trained_on(folder: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "own.safetensors", list[str]()
    run(recipe(QUICK, out, lines.append), [folder])
    assert list(tmp_path.iterdir()) == [out]
    assert [line.split()[0] for line in lines if " 2/2, " in line] == list(PHASES)
    codec, photo = Codec(Model.load(out)), sample_photo("astronaut")[:100, :120]
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments)
    assert decoder.status.decoded == len(stream.segments)
    first = out.read_bytes()
    run(recipe(QUICK, out, lines.append), [folder], resume=True)
    assert out.read_bytes() != first


@pytest.fixture(scope="module")
def uninterrupted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("whole") / "own.safetensors"
    run(recipe(QUICK, out), [folder])
    return out.read_bytes()


@pytest.mark.parametrize("line", ["prior 2/", "joint 2/", "rounded 1/"])
def test_an_interrupted_run_that_goes_on_ends_as_one_that_was_not(
    line: str, folder: Path, tmp_path: Path, uninterrupted: bytes
) -> None:
    out = tmp_path / "own.safetensors"

    def interrupt(text: str) -> None:
        if text.startswith(line):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(QUICK, out, interrupt), [folder])
    assert [path.name for path in tmp_path.iterdir()] == ["own.state"]
    run(recipe(QUICK, out), [folder], resume=True)
    assert out.read_bytes() == uninterrupted


def test_crops_have_gammas_in_the_range_and_maps_of_their_own() -> None:
    ramp = np.linspace(0, 255, 200).astype(np.uint8)[None, :, None].repeat(80, 0).repeat(3, 2)
    pool = PhotoPool([ramp], CPU)
    settings = replace(QUICK, lowest_gamma=90, highest_gamma=100, meaning_share=1.0, random_share=0.0)
    batch = pool.draw(np.random.default_rng(0), 24, 64, settings)
    assert batch.photos.shape == (24, 3, 64, 64)
    assert batch.gammas.photos.min() >= 90
    assert batch.gammas.photos.max() <= 100
    rising = batch.photos[:, 0, 0, -1] > batch.photos[:, 0, 0, 0]
    assert rising.any()
    assert not rising.all()
    flat = pool.draw(np.random.default_rng(0), 8, 64, replace(settings, meaning_share=0.0)).gammas
    assert (flat.cells == flat.photos[:, None, None]).all()
    rough = replace(settings, meaning_share=0.0, random_share=1.0)
    assert float(pool.draw(np.random.default_rng(0), 8, 64, rough).gammas.cells.float().std((1, 2)).min()) > 1
    whole = replace(settings, lowest_gamma=0, highest_gamma=FINEST)
    assert int(pool.draw(np.random.default_rng(0), 24, 64, whole).gammas.photos.float().std()) > 40


def test_a_share_of_photos_lacks_latents_but_never_the_first(pool: PhotoPool) -> None:
    batch = pool.draw(np.random.default_rng(0), 300, 64, QUICK)
    known = truncated(batch, np.random.default_rng(1), 0.25)
    assert set(known.flatten().tolist()) == set(range(1, len(LATENTS) + 1))
    assert 0.7 < (known == len(LATENTS)).float().mean() < 0.85


def test_si_ssim_is_the_metric() -> None:
    photo, rng = sample_photo("chelsea")[:64, :96], np.random.default_rng(0)
    noisy = np.clip(photo + rng.normal(0, 20, photo.shape), 0, 255).astype(np.uint8)
    cells = rng.random((8, 12)).astype(np.float32)
    pictures = [torch.from_numpy(p.copy()).permute(2, 0, 1)[None] / 255 for p in (noisy, photo)]
    found = float(si_ssim(*pictures, torch.from_numpy(cells)[None]))
    assert found == pytest.approx(blockwise_si_ssim(noisy, photo, cells.repeat(8, 0).repeat(8, 1)), abs=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("crop = 256", "crop = 100", "crops must be multiples of 64"),
        ("highest_gamma = 255", "highest_gamma = 256", r"gammas must rise within 0\.\.255"),
        ("lowest_gamma = 0", "lowest_gamma = -1", r"gammas must rise within 0\.\.255"),
        ("si_ssim_weight = 0.15", "si_ssim_weight = 1.5", "si_ssim_weight must lie in"),
        ("meaning_share = 0.35", "meaning_share = 0.95", "meaning_share and random_share are more than all samples"),
        ("truncated_share = 0.25", "truncated_share = 1.25", "truncated_share must lie in"),
        ("rounded_share = 0.5", "rounded_share = 1.5", "rounded_share must lie in"),
        ("calibration_photos = 60", "calibration_photos = 0", "numbers of photos must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    assert old in SHIPPED.read_text()
    file.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(UsageError, match=message) as raised:
        read_settings(Settings, file, "cpu")
    assert "\n" not in str(raised.value)


def test_weights_of_another_architecture_are_not_trained_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.safetensors"
    out.write_bytes((Path(__file__).parents[4] / "progressive" / "weights" / "rmpgc.safetensors").read_bytes())
    with pytest.raises(UsageError, match=r"multiscale-2, this version has hierarchical-1"):
        train([folder], out, resume=True, log=silent, device="cpu")


def test_training_loads_nothing_that_a_bare_machine_lacks() -> None:
    script = (
        "import sys, progressive.training.hierarchical_vae.recipe\n"
        "print({'constriction', 'matplotlib', 'pydantic', 'rich', 'scipy', 'skimage', 'typer'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
