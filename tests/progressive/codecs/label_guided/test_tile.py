from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codec import Photo
from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.classes import BLANK, COUNT
from progressive.codecs.label_guided.encoder import analysed
from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.layout import Layout
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.tile import (
    Found,
    TileState,
    continued,
    each_group,
    from_blocks,
    padded_count,
    to_blocks,
)
from progressive.exact.records import Recorder
from progressive.segments.tiles import Window

LAYOUT = Layout(180, 120)
WINDOW = Window(0, 0, 2, 3)
LEVEL = 30


@pytest.fixture(scope="module")
def choices(frozen: Model, photo: Photo) -> Choices:
    with torch.inference_mode():
        found = analysed(photo[:120, :180], LEVEL, frozen)
    labels = np.random.default_rng(0).integers(0, COUNT, (8, 12)).astype(np.int8)
    return Choices(found.coefficients, found.hyper, labels)


def fresh(model: Model, *, blank: bool = False) -> TileState:
    return TileState(LAYOUT, WINDOW, LEVEL, blank, model.coding)


def coded(model: Model, choices: Choices) -> tuple[TileState, list[Recorder]]:
    state, records = fresh(model), []
    for group, own in each_group(choices):
        records.append(Recorder())
        state.keep(state.code(records[-1], group, list(range(6)), own))
    return state, records


@torch.inference_mode()
def test_blocks_decode_in_any_groups_to_what_was_coded(frozen: Model, choices: Choices) -> None:
    whole, records = coded(frozen, choices)
    tables = frozen.coding.tables.frequencies
    state = fresh(frozen)
    coder = state.decoder_of(records[ROOT].encoded_blocks(tables, [0]))
    state.keep(state.code(coder, ROOT, list(range(6))))
    coder.finish()
    assert state.order == whole.order
    assert np.array_equal(state.labels.numpy(), choices.labels)
    for group in range(1, len(GROUPS)):
        for blocks in ([1, 2, 5], [0], [3, 4]):
            coder = state.decoder_of(records[group].encoded_blocks(tables, blocks))
            state.keep(state.code(coder, group, blocks))
            coder.finish()
    assert (state.levels == len(GROUPS)).all()
    assert torch.equal(whole.index, state.index)
    assert torch.equal(whole.points, state.points)


@torch.inference_mode()
def test_groups_that_travel_together_are_those_apart(frozen: Model, choices: Choices) -> None:
    whole, records = coded(frozen, choices)
    tables, blocks = frozen.coding.tables.frequencies, [0, 2, 3]
    state = fresh(frozen)
    coder = state.decoder_of(records[ROOT].encoded_blocks(tables, [0]))
    state.keep(state.code(coder, ROOT, list(range(6))))
    together = Recorder([each for record in records[1:] for each in record.passes])
    coder = state.decoder_of(together.encoded_blocks(tables, blocks))
    found: list[Found] = []
    for group in range(1, len(GROUPS)):
        found.append(state.code(coder, group, blocks, before=found[-1] if found else None))
    coder.finish()
    assert not state.index[:, GROUPS[1]].any()
    for each in found:
        state.keep(each)
    assert torch.equal(state.index[blocks], whole.index[blocks])
    assert state.levels.tolist() == [4, 1, 4, 4, 1, 1]


@torch.inference_mode()
def test_indices_are_near_the_coefficients(frozen: Model, choices: Choices) -> None:
    state, _ = coded(frozen, choices)
    sure = state.index == 0
    away = (to_blocks(choices.values) - state.index).abs()
    assert float(away[~sure].max()) < 1.6


@torch.inference_mode()
def test_a_blank_map_takes_nothing_and_stays_blank(frozen: Model, choices: Choices) -> None:
    state, record = fresh(frozen, blank=True), Recorder()
    state.keep(state.code(record, ROOT, list(range(6)), choices))
    assert {table for table, *_ in record.passes} >= {"hyper", "latent"}
    assert all(table != "labels" for table, *_ in record.passes)
    assert (state.labels == BLANK).all()


def test_cells_beyond_the_photo_are_as_those_next_to_them() -> None:
    labels = torch.tensor([[1, 2], [3, 4]])
    assert continued(labels, 3, 4).tolist() == [[1, 2, 2, 2], [3, 4, 4, 4], [3, 4, 4, 4]]


def test_blocks_are_cut_row_by_row_and_put_together_again() -> None:
    values = torch.arange(2 * 8 * 12).view(1, 2, 8, 12)
    blocks = to_blocks(values)
    assert blocks[:, 0, 0, 0].tolist() == [0, 4, 8, 48, 52, 56]
    assert torch.equal(from_blocks(blocks, 2, 3), values)
    assert [padded_count(n) for n in (1, 3, 16, 17, 64)] == [1, 4, 16, 32, 64]
