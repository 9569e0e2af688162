from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from progressive.codecs.label_guided.classes import BLANK, COUNT
from progressive.codecs.label_guided.codec import LabelGuided as Codec
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.steps import FINEST
from progressive.errors import UsageError
from progressive.photos import downscale, sample_photo
from progressive.training.cells import fit_cells
from progressive.training.fit import Fit
from progressive.training.label_guided.first import First, present, truncated
from progressive.training.label_guided.labels import CAMVID, VOID, label_file, read_map, read_values, without_void
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import PhotoPool, watched
from progressive.training.label_guided.recipe import PHASES, LabelGuided
from progressive.training.label_guided.scores import confusion, intersections_over_unions, mean_iou
from progressive.training.label_guided.second import Second
from progressive.training.label_guided.settings import SHIPPED, PhaseSettings, Settings
from progressive.training.recipe import run
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

CPU = torch.device("cpu")
ALONE = Worker(0, 1, CPU)
PHASE = PhaseSettings(steps=2, batch=2, crop=64, learning_rate=1e-3)
QUICK = replace(
    read_settings(Settings, SHIPPED),
    classifier="none",
    photos=3,
    held_out=1,
    calibration_photos=1,
    warm_up=1,
    report=1,
    checkpoint=1,
    segmentation=PHASE,
    labels=PHASE,
    first=PHASE,
    rounded=PHASE,
    second=PHASE,
)


def silent(_: str) -> None:
    pass


def drawn_map(height: int, width: int, seed: int) -> np.ndarray:
    """A label map of large patches."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, len(CAMVID), (-(-height // 16), -(-width // 16)), np.uint8)
    return patches.repeat(16, 0).repeat(16, 1)[:height, :width]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("chelsea", "coffee", "rocket")):
        photo = downscale(sample_photo(name), max_pixels=12_000)
        for kind, pixels in {"photos": photo, "photos_labels": drawn_map(*photo.shape[:2], seed)}.items():
            (root / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{name}.png")
    return root / "photos"


@pytest.fixture(scope="module")
def pool() -> PhotoPool:
    photo = sample_photo("astronaut")[:128, 64:256]
    return PhotoPool([photo], [drawn_map(128, 192, 5) % COUNT], CPU)


def recipe(settings: Settings, out: Path, log: Callable[[str], None] = silent) -> LabelGuided:
    return LabelGuided(settings, out=out, seed=0, worker=ALONE, log=log)


def started(pool: PhotoPool) -> Trainee:
    torch.manual_seed(0)
    trainee = Trainee()
    fit_cells(trainee.linear, [photo for photo, _ in pool.whole(1)])
    return trainee


MEASURES = {
    "segmentation": "cross-entropy",
    "labels": "bits a cell",
    "first": "cost",
    "rounded": "bpp",
    "second": "features",
}
TRAINED = {
    "segmentation": {"segmentation"},
    "labels": {"priors.labels"},
    "first": {"priors.latent", "linear", "analysis", "hyper_analysis", "hyper_entropy", "synthesis"},
    "rounded": {"priors.latent"},
    "second": {"synthesis", "discriminators"},
}


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_changes_what_it_trains_and_its_loss_falls_on_a_fixed_batch(name: str, pool: PhotoPool) -> None:
    own = replace(PHASE, steps=8)
    settings = replace(QUICK, averaging=0.5, flat_share=0.0, **dict.fromkeys(PHASES, own))
    phase = PHASES[name](started(pool), settings, pool)
    phase.prepare(np.random.default_rng(0), fresh=True)
    fit = Fit(phase, settings)
    before = {n: t.clone() for n, t in phase.model.state_dict().items()}
    losses = [fit.learn(np.random.default_rng(2), 1e-3, ALONE) for _ in range(8)]
    assert float(losses[-1].figures[MEASURES[name]]) < float(losses[0].figures[MEASURES[name]])
    changed = {n for n, t in phase.model.state_dict().items() if not torch.equal(t, before[n])}
    parts = {".".join(n.split(".")[: 2 if n.startswith("priors") else 1]) for n in changed}
    assert parts == TRAINED[name]


def test_progress_is_told_on_photos_set_aside(pool: PhotoPool) -> None:
    held_out = watched([sample_photo("astronaut")[:70, 64:200]], [drawn_map(70, 136, 1) % COUNT], CPU)
    trainee = started(pool)
    lines = {name: kind(trainee, QUICK, pool, held_out).report(trainee) for name, kind in PHASES.items()}
    assert lines["segmentation"].startswith("mean IoU 0.")
    assert lines["labels"].endswith("bytes a label map")
    for name in ("first", "rounded", "second"):
        assert lines[name].count("bpp") == lines[name].count("(+0.00, blank +0.00) dB") == 3
    assert all(kind(trainee, QUICK, pool).report(trainee) == "" for kind in PHASES.values())


def test_discriminators_and_decoder_learn_apart(pool: PhotoPool) -> None:
    """What fools does not reach the discriminators, what tells apart does not reach the decoder."""
    trainee = started(pool)
    phase = Second(trainee, QUICK, pool)
    batch = pool.draw(np.random.default_rng(0), 1, 64)
    picture = batch.photos.clone().requires_grad_()
    fooled, told = phase._adversarial(picture, batch.photos, batch.full_maps)
    judges = list(trainee.discriminators.parameters())
    assert torch.autograd.grad(fooled, judges, allow_unused=True, retain_graph=True) == (None,) * len(judges)
    assert bool(torch.autograd.grad(fooled, picture)[0].any())
    assert torch.autograd.grad(told, picture, allow_unused=True, retain_graph=True) == (None,)
    assert all(bool(gradient.any()) for gradient in torch.autograd.grad(told, judges[:-1]))


@pytest.mark.parametrize("left_out", ["feature_weight", "adversarial_weight", "semantic_weight"])
def test_a_loss_of_no_weight_is_left_out(left_out: str, pool: PhotoPool) -> None:
    everything = replace(QUICK, semantic_weight=0.1)
    figures = [
        set(Second(started(pool), settings, pool).loss(np.random.default_rng(0)).figures)
        for settings in (everything, replace(everything, **{left_out: 0.0}))
    ]
    gone = {
        "feature_weight": {"features"},
        "adversarial_weight": {"fooled", "told apart"},
        "semantic_weight": {"classes"},
    }
    assert figures[0] - figures[1] == gone[left_out]


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
def uninterrupted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    out = tmp_path_factory.mktemp("whole") / "own.safetensors"
    run(recipe(QUICK, out), [folder])
    return load_file(out)


@pytest.mark.parametrize("line", ["labels 2/", "first 1/", "second 1/"])
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


def test_photos_without_label_maps_are_one_line(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    Image.fromarray(sample_photo("chelsea")[:80, :100]).save(alone / "chelsea.png")
    with pytest.raises(UsageError, match=r"no label map .*alone_labels/chelsea\.png: photos in DIR need") as raised:
        run(recipe(QUICK, tmp_path / "own.safetensors"), [alone])
    assert "\n" not in str(raised.value)


def test_numbers_of_label_maps_become_classes(tmp_path: Path) -> None:
    file = tmp_path / "map.png"
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(file)
    assert read_map(file).tolist() == [[0, 1, 7, 2], [3, 4, 7, 7], [5, 6, 6, VOID]]
    assert without_void(read_map(file))[2, 3] == 7
    assert read_values(file).max() == 11
    for wrong in (np.full((2, 2), 12, np.uint8), np.zeros((2, 2, 3), np.uint8)):
        Image.fromarray(wrong).save(file)
        with pytest.raises(UsageError, match="is no label map: its pixels must be numbers from 0 to 11"):
            read_map(file)


def test_the_map_of_a_photo_lies_in_the_folder_beside_it(folder: Path) -> None:
    file = label_file(folder / "chelsea.jpg")
    assert file == folder.with_name("photos_labels") / "chelsea.png"


def test_crops_and_their_maps_stay_together() -> None:
    """A photo whose red says which class it is."""
    classes = drawn_map(160, 200, 3) % COUNT
    photo = np.repeat((classes * 30)[..., None], 3, 2).astype(np.uint8)
    batch = PhotoPool([photo], [classes], CPU).draw(np.random.default_rng(0), 6, 64)
    assert batch.photos.shape == (6, 3, 64, 64)
    assert batch.classes.shape == (6, 64, 64)
    assert batch.labels.shape == (6, 4, 4)
    for crop, own in zip(batch.photos, batch.classes, strict=True):
        found = np.corrcoef(crop[0].flatten(), own.flatten())[0, 1]
        assert found > 0.9
    flat = PhotoPool([photo], [classes], CPU).draw(np.random.default_rng(0), 6, 64, flat_share=1.0)
    assert float(flat.photos.std((2, 3)).max()) < 1e-5


def test_a_share_of_photos_lacks_groups_but_never_the_first(pool: PhotoPool) -> None:
    batch = pool.draw(np.random.default_rng(0), 200, 64)
    known = truncated(batch, np.random.default_rng(1), 0.25)
    assert set(known.flatten().tolist()) == set(range(1, len(GROUPS) + 1))
    assert 0.7 < (known == len(GROUPS)).float().mean() < 0.9
    there = present(torch.tensor([[[1, 4]]]))
    assert there.shape == (1, CHANNELS, 1, 2)
    assert there.sum((0, 1, 2)).tolist() == [GROUPS[0].stop, CHANNELS]


def test_levels_lie_in_the_range_and_a_share_of_maps_is_blank(pool: PhotoPool) -> None:
    phase = First(started(pool), replace(QUICK, lowest_level=3, highest_level=40, blank_share=0.5), pool)
    levels = phase.drawn_levels(400, np.random.default_rng(0))
    assert int(levels.min()) == 3
    assert 30 < int(levels.max()) <= 40
    assert float(levels.float().mean()) < 20
    labels = phase.drawn_labels(pool.draw(np.random.default_rng(0), 60, 64), np.random.default_rng(1))
    blank = (labels == BLANK).all(2).all(1)
    assert 0.3 < float(blank.float().mean()) < 0.7
    assert not (labels[~blank] == BLANK).any()


def test_scores_are_those_of_their_definition() -> None:
    true = np.array([[0, 0, 1], [1, 2, VOID]], np.uint8)
    found = np.array([[0, 1, 1], [1, 2, 0]])
    counts = confusion(found, true)
    assert counts.sum() == 5
    each = intersections_over_unions(counts)
    assert each[:3].tolist() == pytest.approx([1 / 2, 2 / 3, 1])
    assert np.isnan(each[3:]).all()
    assert mean_iou(counts) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("crop = 192", "crop = 100", "crops must be multiples of 64"),
        ("highest_level = 63", "highest_level = 64", rf"levels must rise within 0\.\.{FINEST}"),
        ("blank_share = 0.3", "blank_share = 1.3", "blank_share, truncated_share, flat_share, first_share must lie in"),
        ("mse_weight = ", "mse_weight = -1 #", "weights of losses must not be negative"),
        ("discriminator_share = 0.3", "discriminator_share = 0", "learning rates must be above 0"),
        ("calibration_photos = 160", "calibration_photos = 0", "numbers of photos must be above 0"),
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
    out.write_bytes((Path(__file__).parents[4] / "progressive" / "weights" / "rmpgc.safetensors").read_bytes())
    with pytest.raises(UsageError, match="this version has label-guided-1"):
        run(recipe(QUICK, out), [folder], resume=True)


def test_the_decoder_goes_back_a_share_of_the_way_that_the_second_stage_took() -> None:
    trainee = Trainee()
    started = {name: p.clone() for name, p in trainee.synthesis.named_parameters()}
    for parameter in trainee.synthesis.parameters():
        parameter.data += 1
    trainee.interpolate(0.25)  # there was no second stage
    assert all(torch.equal(p, started[name] + 1) for name, p in trainee.synthesis.named_parameters())
    trainee.begin_second()
    for parameter in trainee.synthesis.parameters():
        parameter.data += 4
    trainee.interpolate(0.25)
    for name, parameter in trainee.synthesis.named_parameters():
        assert torch.allclose(parameter, started[name] + 4, atol=1e-5)
