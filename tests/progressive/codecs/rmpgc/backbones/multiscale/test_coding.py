from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.coding import (
    COARSE_BASE_TABLE,
    ESCAPE_TABLE,
    FINE_BASE_SCALES,
    FINE_BASE_TABLE,
    INWARD,
    NEVER,
    OUTWARD,
    PARENT_ROWS,
    PLANE_ROWS,
    REACHES,
    ZERO,
    BasePasses,
    PlanePasses,
    look_of,
    table_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.points import values_at
from progressive.codecs.rmpgc.backbones.multiscale.probability import MEAN_STEPS, SCALE_STEPS, places_of
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import MAX_INDEX, base_index, refine
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS, PLANES, SCALES, TIERS
from progressive.errors import BitstreamError
from progressive.exact.coders import RangeSymbolDecoder, RangeSymbolEncoder, SymbolCoder
from progressive.exact.passes import Place
from progressive.exact.records import Recorder
from progressive.exact.tables import TOTAL

BLOCKS = 2
SCALE = 3
ONE_COEFFICIENT = next(places_of(0, 1, 1))
"""The first pass over the lowest band of a block."""

FAR = 200
"""Outputs of the networks beyond all rows of the tables."""


def drawn(*shape: int, low: int, high: int, seed: int) -> Tensor:
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).float()


def parameters_of(place: Place, count: int, side: int, *, low: int, high: int) -> Tensor:
    items, bands, height, width = place.coefficients(torch.empty(BLOCKS, CHANNELS[place.scale], side, side)).shape
    return drawn(items, count, bands, height, width, low=low, high=high, seed=place.number)


class Base:
    """A scale of the base, coded with the same parameters by any coder."""

    def __init__(self, coding: Coding, scale: int, *, least_scale: int = -FAR) -> None:
        self.coding, self.scale, self.side = coding, scale, 6
        self.least_scale = least_scale

    def coded(self, coder: SymbolCoder, values: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Indices and points."""
        shape = BLOCKS, CHANNELS[self.scale], self.side, self.side
        index, points = torch.zeros(shape, dtype=torch.int16), torch.zeros(shape, dtype=torch.int8)
        choices = None if values is None else Choices(values)
        passes = BasePasses(coder, self.scale, self.coding.tables, self.coding.points, index, points, choices)
        for place in places_of(self.scale, self.side, self.side):
            mean = parameters_of(place, 1, self.side, low=-9 * MEAN_STEPS, high=9 * MEAN_STEPS)
            scale = parameters_of(place, 1, self.side, low=self.least_scale, high=FAR)
            coded = passes(place, torch.cat([mean, scale], 1))
            assert torch.equal(coded, place.coefficients(index))
        return index, points

    def values(self) -> Tensor:
        """Most near zero, some anywhere."""
        shape = BLOCKS, CHANNELS[self.scale], self.side, self.side
        near, anywhere = drawn(*shape, low=-40, high=40, seed=1), drawn(*shape, low=-1100, high=1100, seed=2)
        return torch.where(drawn(*shape, low=0, high=9, seed=3) == 0, anywhere, near) / 10


@pytest.mark.parametrize("scale", [0, 2, *FINE_BASE_SCALES])
def test_the_base_survives_the_range_coder_whatever_is_predicted(coding: Coding, scale: int) -> None:
    base = Base(coding, scale, least_scale=0)
    encoder, values = RangeSymbolEncoder(coding.tables), base.values()
    index, points = base.coded(encoder, values)
    assert torch.equal(index, base_index(values).to(torch.int16))
    decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes())
    decoded = base.coded(decoder)
    decoder.finish()
    assert torch.equal(decoded[0], index)
    assert torch.equal(decoded[1], points)


def test_what_is_nearly_sure_is_not_written_but_is_what_is_predicted(coding: Coding) -> None:
    base = Base(coding, FINE_BASE_SCALES[0])
    recorder, values = Recorder(), base.values()
    index, _ = base.coded(recorder, values)
    reach = REACHES[FINE_BASE_TABLE]
    written = sum(len(rows) for table, rows, _, _ in recorder.passes if table == FINE_BASE_TABLE)
    assert 0 < written < index.numel()
    differ = index != base_index(values)
    assert 0 < int(differ.sum()) <= index.numel() - written
    assert int(index[differ].abs().max()) <= 9
    for table, rows, _, _ in recorder.passes:
        if table == FINE_BASE_TABLE:
            middle = coding.tables[table].frequencies[rows.astype(int), reach]
            assert (TOTAL - middle > TOTAL // 2048).all()
    encoder = RangeSymbolEncoder(coding.tables)
    base.coded(encoder, values)
    assert torch.equal(base.coded(RangeSymbolDecoder(coding.tables, encoder.to_bytes()))[0], index)


def of_four(index: list[float]) -> tuple[Place, Tensor, Tensor]:
    """The first pass over four coefficients of the lowest band, which cannot have so many: its place, what is written
    of each, and parameters that predict zero."""
    place = ONE_COEFFICIENT
    values = torch.tensor(index).view(4, 1, 1, 1) * 1.62
    return place, values.expand(4, CHANNELS[0], 1, 1).clone(), torch.zeros(4, 2, 1, 1, 1)


def base_passes(coder: SymbolCoder, coding: Coding, choices: Choices | None = None) -> BasePasses:
    shape = 4, CHANNELS[0], 1, 1
    index, points = torch.zeros(shape, dtype=torch.int16), torch.zeros(shape, dtype=torch.int8)
    return BasePasses(coder, 0, coding.tables, coding.points, index, points, choices)


def test_what_is_far_from_its_prediction_escapes_and_the_impossible_is_refused(coding: Coding) -> None:
    place, values, parameters = of_four([20.0, -20.0, 21.0, -21.0])
    recorder = Recorder()
    passes = base_passes(recorder, coding, Choices(values))
    passes(place, parameters)
    assert passes.index[:, 0].flatten().tolist() == [20, -20, 21, -21]
    assert [(table, symbols.tolist()) for table, _, symbols, _ in recorder.passes] == [
        (COARSE_BASE_TABLE, [40, 0, 41, 41]),
        (ESCAPE_TABLE, [21 + MAX_INDEX, -21 + MAX_INDEX]),
    ]
    encoder = RangeSymbolEncoder(coding.tables)
    (table, rows, symbols, owners), _ = recorder.passes
    encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), owners)
    beyond = np.array([2 * MAX_INDEX + 1, 0], np.int32)
    encoder.code(ESCAPE_TABLE, np.zeros(2, np.intp), beyond, owners[:2])
    with pytest.raises(BitstreamError, match="impossible index"):
        base_passes(RangeSymbolDecoder(coding.tables, encoder.to_bytes()), coding)(place, parameters)


def test_the_mean_shifts_symbols_and_its_fraction_and_the_scale_choose_the_row(coding: Coding) -> None:
    place, values, parameters = of_four([3.0, 3.0, 3.0, 3.0])
    parameters[:, 0] = torch.tensor([3.0, 3.25, 2.5, 3.0]).view(-1, 1, 1, 1) * MEAN_STEPS
    parameters[:, 1] = torch.tensor([0.0, 0.0, 0.0, 1.0]).view(-1, 1, 1, 1) * SCALE_STEPS
    recorder = Recorder()
    base_passes(recorder, coding, Choices(values))(place, parameters)
    _, rows, symbols, _ = recorder.passes[0]
    reach = REACHES[COARSE_BASE_TABLE]
    assert symbols.tolist() == [reach] * 4
    assert np.diff(rows).tolist() == [2, -6, 4 + MEAN_STEPS * SCALE_STEPS]


def last(values: Tensor) -> Tensor:
    return values.contiguous(memory_format=torch.channels_last)


class Plane:
    """A plane of two blocks; parameters are drawn by their place."""

    def __init__(self, coding: Coding, plane: int, *, seed: int = 0) -> None:
        self.coding, self.plane = coding, plane
        shapes = [(BLOCKS, c, s, s) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]
        self.values = [drawn(*s, low=-300, high=300, seed=seed + n) / 100 for n, s in enumerate(shapes)]
        self.parents = [base_index(y).to(torch.int16) for y in self.values]
        for coarser in range(1, plane):
            self.parents = [
                (2 * n + refine(y, n, coarser)).to(torch.int16) for y, n in zip(self.values, self.parents, strict=True)
            ]
        self.truth = [refine(y, n, plane).to(torch.int8) for y, n in zip(self.values, self.parents, strict=True)]

    def fresh(self, coder: SymbolCoder, *, encodes: bool) -> PlanePasses:
        blank = [last(torch.zeros_like(n, dtype=torch.int8)) for n in self.parents]
        return PlanePasses(
            coder,
            BLOCKS,
            self.plane,
            0,
            self.coding.points,
            self.coding.tier_of_row[self.plane],
            [last(n) for n in self.parents],
            blank,
            [torch.zeros_like(b, dtype=torch.uint8) for b in blank],
            [b.clone() for b in blank],
            [Choices(y) for y in self.values] if encodes else None,
        )

    def look(self, passes: PlanePasses) -> None:
        for scale, parents in enumerate(self.parents):
            parameters = drawn(BLOCKS, 2, *parents.shape[1:], low=-FAR // 4, high=FAR // 4, seed=scale)
            passes.looked(scale, parameters)

    def code(self, passes: PlanePasses) -> None:
        for scale, side in enumerate(BLOCK_SIDES):
            for place in places_of(scale, side, side):
                passes(place, parameters_of(place, 4, side, low=-FAR, high=FAR))

    def through(self, coder_of: Callable[[int], SymbolCoder], *, encodes: bool) -> PlanePasses:
        """Both tiers, each with a coder of its own."""
        passes = self.fresh(coder_of(0), encodes=encodes)
        self.look(passes)
        for tier in range(TIERS):
            passes = replace(passes, tier=tier, coder=coder_of(tier))
            self.code(passes)
        return passes


@pytest.mark.parametrize("plane", [1, 2, PLANES])
def test_both_tiers_of_a_plane_survive_the_range_coder(coding: Coding, plane: int) -> None:
    made = Plane(coding, plane)
    encoders = [RangeSymbolEncoder(coding.tables) for _ in range(TIERS)]
    sent = made.through(lambda tier: encoders[tier], encodes=True)
    decoders = [RangeSymbolDecoder(coding.tables, e.to_bytes()) for e in encoders]
    received = made.through(lambda tier: decoders[tier], encodes=False)
    for decoder in decoders:
        decoder.finish()
    for scale in range(SCALES):
        tiers = sent.tiers[scale]
        assert set(tiers.unique().tolist()) <= {0, 1, NEVER}
        assert torch.equal(sent.symbols[scale], torch.where(tiers == NEVER, 0, made.truth[scale]))
        for name in ("symbols", "tiers", "found"):
            assert torch.equal(getattr(sent, name)[scale], getattr(received, name)[scale])
    assert all((sent.tiers[SCALES - 1] == tier).any() for tier in (0, 1, NEVER))


def test_a_tier_writes_its_own_symbols_and_leaves_the_others_zero(coding: Coding) -> None:
    made, recorder = Plane(coding, 1), Recorder()
    passes = made.fresh(recorder, encodes=True)
    made.look(passes)
    made.code(passes)
    first = [t == 0 for t in passes.tiers]
    assert {table for table, *_ in recorder.passes} == {table_of(1, 0)}
    assert sum(len(rows) for _, rows, *_ in recorder.passes) == sum(int(t.sum()) for t in first)
    for scale in range(SCALES):
        assert torch.equal(passes.symbols[scale], made.truth[scale] * first[scale])


def test_symbols_belong_to_their_blocks(coding: Coding) -> None:
    made, recorder = Plane(coding, 1), Recorder()
    passes = made.fresh(recorder, encodes=True)
    made.look(passes)
    made.code(passes)
    owned = [sum(int((owners == block).sum()) for *_, owners in recorder.passes) for block in range(BLOCKS)]
    assert owned == [sum(int((t[block] == 0).sum()) for t in passes.tiers) for block in range(BLOCKS)]
    assert all((np.diff(owners) >= 0).all() for *_, owners in recorder.passes)


def test_blocks_that_only_fill_up_are_not_written(coding: Coding) -> None:
    made = Plane(coding, 1)
    recorders = [Recorder(), Recorder()]
    for recorder, count in zip(recorders, (BLOCKS, BLOCKS - 1), strict=True):
        passes = replace(made.fresh(recorder, encodes=True), count=count)
        made.look(passes)
        made.code(passes)
    everything, fewer = (sum(len(rows) for _, rows, *_ in r.passes) for r in recorders)
    first = sum(int((owners == 0).sum()) for *_, owners in recorders[0].passes)
    assert fewer == first < everything
    assert all((owners == 0).all() for *_, owners in recorders[1].passes)


def column(values: list[float]) -> Tensor:
    """A value a block, in the first coefficient of one position."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def one_coefficient(
    coding: Coding, plane: int, parents: list[float], values: list[float], parameters: Tensor
) -> tuple[Recorder, PlanePasses]:
    """A pass over one coefficient of each block; parameters [4] or [B, 4]."""
    recorder, count = Recorder(), len(parents)
    shapes = [(count, c, s, s) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]
    blank = [last(torch.zeros(s, dtype=torch.int8)) for s in shapes]
    passes = PlanePasses(
        recorder,
        count,
        plane,
        0,
        coding.points,
        np.zeros(PLANE_ROWS, np.uint8),
        [last(torch.zeros(s, dtype=torch.int16)) for s in shapes],
        blank,
        [b.to(torch.uint8) for b in blank],
        [b.clone() for b in blank],
        [Choices(torch.zeros(s)) for s in shapes],
    )
    assert passes.choices is not None
    passes.parents[0][:] = column(parents)
    passes.choices[0].values[:] = column(values)
    passes(ONE_COEFFICIENT, parameters.expand(count, 4).reshape(count, 4, 1, 1, 1))
    return recorder, passes


def test_symbols_point_away_from_zero_or_to_plus_where_the_parent_is_zero(coding: Coding) -> None:
    """In the last plane, whose bins have three parts."""
    parents = [-3.0] * 3 + [0.0] * 3 + [2.0] * 3
    middle = [float(values_at(np.array([3 * n], np.int32), np.zeros(1, np.int8), PLANES)[0]) for n in map(int, parents)]
    values = [m + side for m, side in zip(middle, [-0.07, 0.0, 0.07] * 3, strict=True)]
    recorder, passes = one_coefficient(coding, PLANES, parents, values, torch.zeros(4))
    assert recorder.passes[0][2].tolist() == [OUTWARD, ZERO, INWARD, INWARD, ZERO, OUTWARD, INWARD, ZERO, OUTWARD]
    assert passes.symbols[0][:, 0].flatten().tolist() == [-1, 0, 1] * 3


def test_points_are_those_of_row_and_symbol_seen_outward(coding: Coding) -> None:
    parents, values = [-2.0, 2.0, 0.0, 0.0], [-9.0, 9.0, -0.9, 0.9]
    recorder, passes = one_coefficient(coding, 1, parents, values, torch.zeros(4))
    _, rows, symbols, _ = recorder.passes[0]
    assert symbols.tolist() == [OUTWARD, OUTWARD, INWARD, OUTWARD]
    points = coding.points[table_of(1, 0)][rows.astype(int), symbols.astype(int)].astype(int)
    assert points[0]
    assert passes.found[0][:, 0].flatten().tolist() == [-points[0], points[1], points[2], points[3]]


def test_rows_follow_the_parameters_of_the_parent_s_kind_and_stay_in_the_table(coding: Coding) -> None:
    parents = [0.0] * 40 + [1.0] * 20 + [-1.0] * 20
    extreme = drawn(len(parents), 4, low=-(2**23), high=2**23, seed=2)
    changed = torch.cat([extreme[:, :2], 0 * extreme[:, 2:]], 1)
    for plane, known in ((1, 1), (PLANES, 2)):
        rows = one_coefficient(coding, plane, parents, [0.0] * 80, extreme)[0].passes[0][1]
        others = one_coefficient(coding, plane, parents, [0.0] * 80, changed)[0].passes[0][1]
        assert 0 <= rows.min() < rows.max() < PLANE_ROWS
        assert ((rows >= PARENT_ROWS) == (np.array(parents) != 0)).all()
        assert (rows == others)[:40].all()
        assert (rows != others)[40:].any()
        assert len(set(rows[40:])) == 2**known


def test_a_look_tells_tiers_and_points_of_all_coefficients(coding: Coding) -> None:
    made = Plane(coding, 2)
    passes = made.fresh(Recorder(), encodes=False)
    made.look(passes)
    parents, tiers, found = passes.parents[SCALE], passes.tiers[SCALE], passes.found[SCALE]
    nothing = made.fresh(Recorder(), encodes=False)
    nothing.looked(SCALE, torch.zeros(BLOCKS, 2, *parents.shape[1:]))
    for sign in (-1, 0, 1):
        here = torch.sign(parents) == sign
        assert len(nothing.tiers[SCALE][here].unique()) == 1
        assert len(tiers[here].unique()) > 1
        points = found[here].unique().long()
        assert points.numel() > 5
        assert set((points * (sign or 1)).tolist()) <= set(coding.points[look_of(2)].ravel().tolist())
    inside, outside = nothing.found[SCALE][parents > 0], nothing.found[SCALE][parents < 0]
    assert inside.unique().tolist() == (-outside).unique().tolist()


def test_every_plane_and_tier_has_a_table_of_its_own(coding: Coding) -> None:
    names = {table_of(plane, tier) for plane in range(1, PLANES + 1) for tier in range(TIERS)}
    assert len(names) == PLANES * TIERS
    assert all(coding.tables[name].frequencies.shape == (PLANE_ROWS, 3) for name in names)
