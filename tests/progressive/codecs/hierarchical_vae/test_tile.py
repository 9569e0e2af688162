from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae.choices import Choices
from progressive.codecs.hierarchical_vae.encoder import Analysis
from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, CHANNELS, LATENTS, ROOT
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.rates import Gammas
from progressive.codecs.hierarchical_vae.tile import TileState, each_latent, padded_count, to_blocks
from progressive.exact.records import Recorder
from progressive.segments.tiles import Window

WINDOW = Window(0, 0, 2, 3)
GAMMA = 120


@pytest.fixture(scope="module")
def coefficients(model: Model, photo: Photo) -> list[Tensor]:
    with torch.inference_mode():
        return Analysis(photo, model).coefficients(gammas())


def gammas() -> Gammas:
    return Gammas.of(GAMMA, 16, 24, None)


def coded(model: Model, coefficients: list[Tensor]) -> tuple[TileState, list[Recorder]]:
    state, records = TileState(WINDOW, gammas(), model.coding), []
    for latent, choices in each_latent(state, Choices(coefficients)):
        records.append(Recorder())
        state.keep(state.code(records[-1], latent, list(range(6)), choices))
    return state, records


@torch.inference_mode()
def test_blocks_decode_in_any_groups_to_what_was_coded(model: Model, coefficients: list[Tensor]) -> None:
    whole, records = coded(model, coefficients)
    tables = model.coding.tables.frequencies
    state = TileState(WINDOW, gammas(), model.coding)
    coder = state.decoder_of(records[ROOT].encoded_blocks(tables, [0]))
    state.keep(state.code(coder, ROOT, list(range(6))))
    coder.finish()
    assert state.order == whole.order
    for latent in range(1, len(LATENTS)):
        for blocks in ([1, 2, 5], [0], [3, 4]):
            coder = state.decoder_of(records[latent].encoded_blocks(tables, blocks))
            state.keep(state.code(coder, latent, blocks))
            coder.finish()
    assert (state.levels == len(LATENTS)).all()
    for own, found in zip(whole.index + whole.points, state.index + state.points, strict=True):
        assert torch.equal(own, found)


@torch.inference_mode()
def test_indices_are_near_the_coefficients(model: Model, coefficients: list[Tensor]) -> None:
    state, _ = coded(model, coefficients)
    for scale, (values, side) in enumerate(zip(coefficients, BLOCK_SIDES, strict=True)):
        away = to_blocks(values, side) - state.index[scale]
        assert float(away.abs().max()) < 1.6


@torch.inference_mode()
def test_filling_in_changes_only_what_comes_next(model: Model, coefficients: list[Tensor]) -> None:
    state = TileState(WINDOW, gammas(), model.coding)
    everything = list(range(6))
    for latent, choices in each_latent(state, Choices(coefficients)):
        if latent == 3:
            break
        state.keep(state.code(Recorder(), latent, everything, choices))
    before = [t.clone() for t in (*state.index, *state.points)]
    state.fill()
    after = [t.clone() for t in (*state.index, *state.points)]
    changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if not torch.equal(a, b)]
    scale, own = LATENTS[3].scales[0], LATENTS[3].channels(LATENTS[3].scales[0])
    assert set(changed) <= {scale, scale + len(CHANNELS)}
    assert scale + len(CHANNELS) in changed
    assert not state.points[scale][:, own.stop :].any()
    state.fill()
    assert all(torch.equal(a, b) for a, b in zip(after, (*state.index, *state.points), strict=True))
    for latent, choices in each_latent(state, Choices(coefficients)):
        if latent >= 3:
            state.keep(state.code(Recorder(), latent, everything, choices))
    whole, _ = coded(model, coefficients)
    for own_tensor, found in zip(whole.index + whole.points, state.index + state.points, strict=True):
        assert torch.equal(own_tensor, found)


def test_blocks_are_cut_row_by_row() -> None:
    values = torch.arange(24).view(1, 1, 4, 6)
    blocks = to_blocks(values, 2)
    assert blocks[:, 0, 0, 0].tolist() == [0, 2, 4, 12, 14, 16]
    assert blocks[4, 0].tolist() == [[14, 15], [20, 21]]
    assert [padded_count(n) for n in (1, 3, 16, 17, 64)] == [1, 4, 16, 32, 64]
    assert np.array_equal(to_blocks(values, 4 // 2).numpy(), blocks.numpy())
