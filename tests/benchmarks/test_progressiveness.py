from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import _data, progressiveness
from benchmarks.progressiveness import bin_means, one_step, planes_of, price, prices_of
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.photos import sample_photo, write_png
from progressive.training.rmpgc.model import Trainee


def crop(top: int, left: int, height: int, width: int) -> Tensor:
    cut = sample_photo("coffee")[top : top + height, left : left + width].copy()
    return torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255


PHOTO = crop(100, 100, 64, 128)


@pytest.fixture(scope="module")
def model() -> Trainee:
    torch.manual_seed(0)
    return Trainee().eval().requires_grad_(False)


def test_coefficients_are_read_as_the_means_of_their_bins() -> None:
    values, index = torch.tensor([0.1, 0.3, 2.0, -1.0, 3.0]), torch.tensor([0.0, 0.0, 1.0, -1.0, 1.0])
    torch.testing.assert_close(bin_means(values, index), torch.tensor([0.2, 0.2, 2.5, -1.0, 2.5]))


def test_without_halving_both_show_the_base(model: Trainee) -> None:
    (_, db), *_ = planes_of(model, PHOTO)
    assert one_step(model.transform, model.context, PHOTO, 0.0)[1] == pytest.approx(db, abs=1e-3)


def test_finer_bins_show_more_and_cost_more(model: Trainee) -> None:
    for points in (
        planes_of(model, PHOTO),
        [one_step(model.transform, model.context, PHOTO, fineness) for fineness in (0.0, 1.0, 2.0, 3.0)],
    ):
        assert (np.diff(np.array(points), axis=0) > 0).all()


def test_a_plane_shows_about_what_its_step_shows(model: Trainee) -> None:
    planes = planes_of(model, PHOTO)
    for plane in range(1, PLANES):
        assert one_step(model.transform, model.context, PHOTO, plane)[1] == pytest.approx(planes[plane][1], abs=0.5)


def test_the_price_is_what_planes_take_more() -> None:
    planes = [(100.0, 20.0), (400.0, 30.0)]
    assert price(planes, (100.0, 30.0)) == pytest.approx(300)
    assert price(planes, (200.0, 25.0)) == pytest.approx(0)
    assert price(planes, (400.0, 20.0)) == pytest.approx(-75)
    assert math.isnan(price(planes, (100.0, 31.0)))


def test_prices_are_of_each_photo(model: Trainee) -> None:
    (found,) = prices_of([PHOTO, crop(200, 250, 64, 64)], model, [(1.0, model.context)])
    bits, db = one_step(model.transform, model.context, PHOTO, 1.0)
    assert (found.bpp[0], found.db[0]) == pytest.approx((bits / (64 * 128), db))
    assert found.percent[0] == pytest.approx(price(planes_of(model, PHOTO), (bits, db)))


def measure(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[object]) -> None:
    monkeypatch.setattr(sys, "argv", ["progressiveness", *map(str, arguments)])
    _data.run(progressiveness.benchmark)


def test_every_model_takes_equal_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, photo in (("train", PHOTO), ("kodak", crop(0, 0, 64, 128))):
        (tmp_path / name).mkdir()
        pixels = (photo[0].permute(1, 2, 0) * 255).round().byte().numpy()
        write_png(tmp_path / name / "photo.png", pixels)
    monkeypatch.setattr(progressiveness, "read_model", lambda _: (ProbabilityNetworks(), Transform(), Synthesis()))
    taken: list[str] = []
    learn = progressiveness.Fit.learn

    def counted(self: progressiveness.Fit, *inputs: object) -> object:
        taken.append(f"{self.phase.name} {getattr(self.phase, 'fineness', '')}")
        return learn(self, *inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(progressiveness.Fit, "learn", counted)
    out = tmp_path / "prices.json"
    small = ["--steps", 2, "--batch", 1, "--crop", 64, "--fineness", 2, "--device", "cpu"]
    measure(monkeypatch, ["--data", tmp_path, "--json", out, *small])
    assert taken == ["entropy ", "entropy ", *["context (2.0, 2.0)"] * 2]
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "2"
    assert len(json.loads(out.read_text())["2"]["bpp"]) == 1


def test_without_steps_or_photos_it_says_so_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--steps", 2, "--data", tmp_path]):
        measure(monkeypatch, arguments)
        assert capsys.readouterr().out.startswith("not measured: ")
