from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks import _data, progressiveness
from benchmarks._layered_photo import LayeredPhoto, by_slope
from benchmarks._single_rate import OpenDequantiser, SingleRate, index_of
from benchmarks.progressiveness import prices_of, rounded
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS
from progressive.codecs.rmpgc.model import WEIGHTS
from progressive.codecs.rmpgc.quantiser import DEAD_ZONE, MAX_INDEX, STEP, base_index
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.photos import sample_photo
from progressive.training.rmpgc_conditions import BASE, movable_values_under
from progressive.training.rmpgc_evaluation import bits_per_pixel, psnr_of_levels
from progressive.training.rmpgc_export import read_model
from progressive.training.rmpgc_model import Trainee
from progressive.training.rmpgc_rate import bits_of_planes, rate_of_planes


def crop(top: int, left: int, height: int, width: int) -> Tensor:
    cut = sample_photo("coffee")[top : top + height, left : left + width].copy()
    return torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255


PHOTO = crop(100, 100, 128, 192)


@pytest.fixture(scope="module")
def model() -> Trainee:
    return rounded(Trainee(*read_model(WEIGHTS)))


@pytest.fixture(scope="module")
def layered(model: Trainee) -> LayeredPhoto:
    return LayeredPhoto(model, PHOTO)


def test_open_bins_are_the_bases_and_go_on_beyond_its_last() -> None:
    values = torch.linspace(-90, 90, 4001)
    assert torch.equal(index_of(values), base_index(values))
    assert index_of(torch.tensor(STEP * 250 + DEAD_ZONE)) > 3 * MAX_INDEX
    closed, opened = Dequantiser(), OpenDequantiser()
    closed.inward[:] = opened.inward[:] = torch.rand(closed.inward.shape)
    index = index_of(values).view(1, 1, 1, -1).expand(1, 21, 1, -1)
    torch.testing.assert_close(opened(index, 0, 4), closed(index, 0, 4))
    with_gap = opened(torch.tensor([200.0, 201.0]).view(1, 1, 1, 2), 0, 0)
    assert float(with_gap.diff()) == pytest.approx(STEP, rel=1e-4)


def test_open_bins_are_fitted_however_far_out() -> None:
    latent = [torch.full((1, 12, side, side), 300.0) for side in BLOCK_SIDES]
    index = [index_of(y) for y in latent]
    dequantiser = OpenDequantiser()
    dequantiser.fit(latent, index, 0)
    torch.testing.assert_close(dequantiser(index[0], 0, 0), latent[0])


def test_gain_makes_bins_narrower(model: Trainee) -> None:
    latent = [torch.zeros(1, c, s, s) for c, s in zip((12, 9, 9, 9, 21), BLOCK_SIDES, strict=True)]
    latent[2][0, 0, 0, :3] = torch.tensor([0.9, 1.1, 1.1 + STEP]) * DEAD_ZONE / 4
    index = SingleRate(model, 4.0).coded(latent).index[2][0, 0, 0, :3]
    assert index.tolist() == [0, 1, 1 + math.floor((0.1 + STEP) / STEP)]


def test_without_gain_and_training_it_is_the_base(model: Trainee, layered: LayeredPhoto) -> None:
    bits, db = rounded(SingleRate(model, 1.0)).measured(PHOTO)
    assert bits == pytest.approx(layered.base, rel=1e-6)
    assert db == pytest.approx(layered.psnr_after(0), abs=1e-3)


def test_finer_bins_show_more_and_cost_more(model: Trainee) -> None:
    found = np.array([rounded(SingleRate(model, gain)).measured(PHOTO) for gain in (1.0, 2.0, 4.0, 8.0)])
    assert (np.diff(found[:, 0]) > 0).all()
    assert (np.diff(found[:, 1]) > 0.5).all()


def test_it_starts_with_the_checkpoints_prediction_for_finer_bins(model: Trainee, layered: LayeredPhoto) -> None:
    bits, db = rounded(SingleRate(model, 4.0)).measured(PHOTO)
    assert bits < 2 * layered.bits_by_level(db)


def test_gradients_are_the_recipes_where_there_is_no_gain(model: Trainee) -> None:
    found = []
    for single in (True, False):
        latent = [y.requires_grad_() for y in model.analysis(PHOTO)]
        if single:
            alone = rounded(SingleRate(model, 1.0))
            coded = alone.coded(latent, moving=True)
            marginal, (values, bend) = coded.marginal, alone.movable_values(coded)
        else:
            late = torch.zeros(1, *latent[0].shape[2:], dtype=torch.bool)
            rate = rate_of_planes(model.networks, latent, late, marginal=True)
            states = torch.full(late.shape, BASE)
            marginal = rate.marginal_base
            values, bend = movable_values_under(model.dequantiser, latent, rate.indices, rate.tiers, states)
        loss = marginal.sum() + bend.sum() + sum((v - y).square().sum() for v, y in zip(values, latent, strict=True))
        found.append(torch.autograd.grad(loss, latent))
    for ours, recipes in zip(*found, strict=True):
        assert ours.abs().sum() > 0
        torch.testing.assert_close(ours, recipes, rtol=1e-3, atol=1e-4)


def test_layers_cost_and_show_what_the_recipe_reports(model: Trainee, layered: LayeredPhoto) -> None:
    planes, _ = bits_of_planes(model.networks, model.analysis(PHOTO))
    assert layered.base == pytest.approx(float(planes[0].sum()), rel=1e-5)
    by_plane = layered.bits.reshape(-1, 2, layered.blocks).sum((1, 2))
    np.testing.assert_allclose(by_plane, [float(p.sum()) for p in planes[1:]], rtol=1e-4)
    total = float(bits_per_pixel(model, [PHOTO]).by_scale.sum()) * PHOTO[0, 0].numel()
    assert layered.spent_by_slope()[-1] == pytest.approx(total, rel=1e-4)
    whole = psnr_of_levels(model, [PHOTO]).db
    assert layered.psnr_after(0) == pytest.approx(whole[0], abs=1e-3)
    assert layered.psnr_after(len(layered.order)) == pytest.approx(whole[-1], abs=1e-3)
    assert layered.bits_by_level(whole[2]) == pytest.approx(layered.base + layered.bits[:2].sum(), rel=1e-3)


def test_the_price_of_the_model_against_itself_is_nothing(layered: LayeredPhoto) -> None:
    spent = layered.spent_by_slope()
    for steps in (0, 5, len(layered.order) // 2, len(layered.order)):
        assert layered.bits_by_slope(layered.psnr_after(steps)) == pytest.approx(spent[steps], rel=2e-3)
    assert math.isnan(layered.bits_by_slope(99.0))
    assert math.isnan(layered.bits_by_level(99.0))


def test_the_price_is_what_more_than_the_other_takes(model: Trainee) -> None:
    single = rounded(SingleRate(model, 1.0))
    (prices,) = prices_of([PHOTO, crop(200, 250, 64, 64)], [single], model, model)
    for column in (prices.by_slope, prices.by_level, prices.before):
        np.testing.assert_allclose(column, 0, atol=0.1)


def test_cuts_by_slope_are_no_worse_than_whole_levels(layered: LayeredPhoto) -> None:
    middle = layered.psnr_after(len(layered.order) // 2)
    assert layered.bits_by_slope(middle) < 1.02 * layered.bits_by_level(middle)


def test_order_is_by_slope_and_keeps_each_blocks_levels() -> None:
    gains, bits = np.array([[4.0, 9.0, 1.0], [8.0, 1.0, 0.5]]), np.full((2, 3), 1.0)
    assert by_slope(gains, bits) == [1, 0, 0, 1, 2, 2]
    assert sorted(by_slope(np.ones((LEVELS, 4)), np.ones((LEVELS, 4)))) == sorted(list(range(4)) * LEVELS)


def measure(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[object]) -> None:
    monkeypatch.setattr(sys, "argv", ["progressiveness", *map(str, arguments)])
    _data.run(progressiveness.benchmark)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, cut in (("train", PHOTO), ("kodak", crop(0, 0, 64, 128))):
        (tmp_path / name).mkdir()
        pixels = (cut[0].permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(tmp_path / name / "photo.png")
    return tmp_path


def test_every_model_takes_equal_steps_and_finished_ones_are_kept(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folders / "out"
    call = ["--data", folders, "--out", out, "--steps", 2, "--batch", 1, "--crop", 64, "--gains", 2, "--device", "cpu"]
    call += ["--phases", "entropy", "synthesis", "joint", "final"]
    measure(monkeypatch, call)
    first = capsys.readouterr().out
    for name in ("progressive", "gain-2"):
        lines = [line.split(":")[1].split(",")[0].strip() for line in first.splitlines() if line.startswith(name)]
        assert lines == ["entropy 2", "synthesis 2", "joint 2", "final 2"]
        state = torch.load(out / f"{name}.state", weights_only=True)
        assert (state["number"], state["step"]) == (4, 0)
    prices = json.loads((out / "prices.json").read_text())
    assert all(math.isfinite(values[0]) for values in prices["2"].values())

    measure(monkeypatch, call)
    assert capsys.readouterr().out.splitlines() == first.splitlines()[-3:]
    assert json.loads((out / "prices.json").read_text()) == prices

    measure(monkeypatch, [*call, "--seed", 1])
    assert "other settings" in capsys.readouterr().out


def test_without_steps_or_photos_it_says_so_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--steps", 2, "--data", tmp_path], ["--steps", 2, "--gains", 0.5]):
        measure(monkeypatch, [*arguments, "--out", tmp_path / "out"])
        assert capsys.readouterr().out.startswith("not measured: ")
    assert not (tmp_path / "out").exists()
