from __future__ import annotations

import os
import pickle

import pytest
import torch
from torch import Tensor

from progressive.codec import MAX_EFFORT, Photo, with_effort
from progressive.codecs.rmpgc.backbones.multiscale.backbone import Multiscale
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.picture import latent_of
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import width_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import SCALES, TIERS, layout_of
from progressive.codecs.rmpgc.backbones.multiscale.search import ROUND, ROUNDS, searched
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import BITS_OF_ERROR, cost_of, reading_of, said_of
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import UsageError
from progressive.registry import load_codec
from progressive.segments.pieces import padded


@pytest.fixture(scope="module")
def model() -> Multiscale:
    """Networks that know photos."""
    return Multiscale.load()


@pytest.fixture(scope="module")
def start(model: Multiscale, photo: Photo) -> list[Tensor]:
    colours = Colours.of(photo)
    layout = layout_of(photo.shape[1], photo.shape[0])
    with torch.inference_mode():
        return latent_of(photo, layout, lambda rgb: model.analyse(colours.turned(rgb)))


def found(model: Multiscale, start: list[Tensor], photo: Photo, planes: tuple[int, ...]) -> list[Tensor]:
    return searched(model, start, photo, layout_of(photo.shape[1], photo.shape[0]), Colours.of(photo), planes)


@torch.no_grad()
def weighed(model: Multiscale, latent: list[Tensor], photo: Photo, plane: int, reading: Tensor) -> float:
    """Bits and errors of what is coded, as one."""
    layout = layout_of(photo.shape[1], photo.shape[0])
    cost = cost_of(said_of(model.coding.networks, latent, plane), latent, plane, reading)
    linear = Colours.of(photo).restored(model.transform.synthesise(cost.values))
    states = torch.full((1, layout.rows, layout.columns), state_of(SCALES, TIERS * plane))
    window = next(layout.windows())
    error = (model.synthesis(linear, states) - padded(photo, window)).square().sum((1, 2, 3))
    return float(cost.bits + BITS_OF_ERROR / width_of(plane) ** 2 * error)


def test_every_plane_in_the_middle_is_worth_more_after_a_search(
    model: Multiscale, start: list[Tensor], photo: Photo
) -> None:
    reading = reading_of(start)
    after = found(model, start, photo, ROUND)
    for plane in (1, 2, 3):
        assert weighed(model, after, photo, plane, reading) < 0.99 * weighed(model, start, photo, plane, reading)


def test_what_is_found_does_not_depend_on_processors(
    model: Multiscale, start: list[Tensor], photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = found(model, start, photo, (2, 1))
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert all(torch.equal(a, b) for a, b in zip(first, found(model, start, photo, (2, 1)), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(start, found(model, start, photo, ()), strict=True))


def test_a_codec_with_effort_makes_other_streams_that_every_decoder_reads(model: Multiscale, photo: Photo) -> None:
    codec = Rmpgc(model)
    thorough = pickle.loads(pickle.dumps(with_effort(codec, 2)))
    stream = thorough.encode(photo)
    assert stream.header.model_id == codec.encode(photo).header.model_id
    assert [s.payload for s in stream.segments] != [s.payload for s in codec.encode(photo).segments]
    decoder = codec.decoder(stream.header)
    assert decoder.push_all((s.id, s.payload) for s in stream.segments).damaged == 0
    assert with_effort(codec, 0) is codec


def test_efforts_are_steps_that_grow() -> None:
    assert len(ROUNDS) == MAX_EFFORT + 1
    steps = [len(planes) for planes in ROUNDS]
    assert steps == sorted(set(steps))
    assert steps[0] == 0


def test_a_codec_without_a_search_has_one_effort() -> None:
    codec = load_codec("dual_autoencoder")
    assert with_effort(codec, 0) is codec
    with pytest.raises(UsageError, match="the encoder of dual_autoencoder has one effort: leave --effort out"):
        with_effort(codec, 1)
