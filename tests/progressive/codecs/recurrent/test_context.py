from __future__ import annotations

import torch
from frozen_recurrent import frozen_model, frozen_tensors
from torch import Tensor

from progressive.codecs.recurrent.context import BEFORE, BITS, MOST_ODDS, ODDS_STEPS, ROWS, Pass, passes, row_of
from progressive.codecs.recurrent.model import CONTEXT, Model
from progressive.exact.layers import int8_is_fast, layers_of
from progressive.training.recurrent.export import counted
from progressive.training.recurrent.model import Trainee


def codes_like(seed: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(0, 2, (count, BITS, 8, 10), generator=generator) * 2 - 1).to(torch.int8)


def odds_of(model: Model, group: Tensor, before: list[Tensor], truth: Tensor, iteration: int) -> Tensor:
    found: list[Tensor] = []

    def keep(each: Pass, odds: Tensor) -> Tensor:
        found.append(odds * group)
        seen = group if each.parity else group & each.cells(truth)
        return truth[:, each.codes] * seen

    model.context.code(iteration, before, group, keep)
    return torch.stack(found)


def test_every_code_has_one_pass() -> None:
    times = torch.zeros(BITS, 5, 7)
    for each in passes():
        times[each.codes] += each.cells(times)
    assert (times == 1).all()


def test_a_group_depends_on_nothing_outside_it() -> None:
    group = torch.zeros(2, 1, 8, 10, dtype=torch.bool)
    group[:, :, 2:5, 1:9] = True
    truth, before = codes_like(0), [codes_like(1), codes_like(2)]
    expected = odds_of(frozen_model(), group, before, truth, 2)
    others = [torch.where(group, each, codes_like(7)) for each in before]
    assert torch.equal(odds_of(frozen_model(), group, others, torch.where(group, truth, -truth), 2), expected)


def test_iterations_further_back_than_two_are_not_looked_at() -> None:
    group = torch.ones(2, 1, 8, 10, dtype=torch.bool)
    near = [codes_like(n) for n in range(BEFORE)]
    found = [odds_of(frozen_model(), group, [codes_like(9 + n), *near], codes_like(5), 3) for n in range(2)]
    assert torch.equal(*found)
    assert not torch.equal(found[0], odds_of(frozen_model(), group, near[::-1], codes_like(5), 3))


def test_all_arithmetics_give_the_same_odds() -> None:
    group, truth, before = torch.ones(2, 1, 8, 10, dtype=torch.bool), codes_like(3), [codes_like(4)]
    expected = odds_of(frozen_model(), group, before, truth, 1)
    assert len(expected.unique()) > 20
    assert torch.equal(expected, expected.round())
    in_float64 = Model(frozen_tensors())
    in_float64.context.use("float32")
    in_float64.context.double()
    for _, layer in layers_of(in_float64.context):
        layer.inverse = layer.inverse.double()
    whole = in_float64.context._described
    in_float64.context._described = lambda codes: whole(codes).double()  # type: ignore[method-assign]
    assert torch.equal(odds_of(in_float64, group, before, truth, 1).float(), expected)
    alone = [odds_of(frozen_model(), group[n : n + 1], [before[0][n : n + 1]], truth[n : n + 1], 1) for n in (0, 1)]
    assert torch.equal(torch.cat(alone, 1), expected)
    if int8_is_fast():
        assert torch.equal(odds_of(frozen_model("int8"), group, before, truth, 1), expected)


def test_rows_are_odds_kept_within_the_table() -> None:
    odds = torch.tensor([-1000.0, -48, -1, 0, 3, 48, 1000])
    middle = ODDS_STEPS * MOST_ODDS
    assert row_of(odds).tolist() == [0, 0, middle - 1, middle, middle + 3, ROWS - 1, ROWS - 1]


def test_rounded_training_computes_what_the_codec_does() -> None:
    model, trainee = frozen_model(), Trainee()
    for name, layer in layers_of(trainee.context):
        layer.restore(*(frozen_tensors()[f"{CONTEXT}{name}.{part}"] for part in ("weight", "bias", "shift")))
    trainee.context.set_rounding("straight-through")
    group, truth = torch.ones(2, 1, 8, 10, dtype=torch.bool), codes_like(3)
    found: list[Tensor] = []

    def keep(each: Pass, odds: Tensor) -> Tensor:
        found.append(odds.detach() * ODDS_STEPS)
        return truth[:, each.codes] * (group if each.parity else group & each.cells(truth))

    trainee.context.code(1, [codes_like(4)], group, keep)
    exact = odds_of(model, group, [codes_like(4)], truth, 1)
    assert (torch.stack(found).round() == exact).float().mean() > 0.999


def test_tables_are_counted_where_the_network_said_what_it_said() -> None:
    codes = torch.ones(2, 3, BITS, 6, 6, dtype=torch.int8)
    frequencies = counted(frozen_model().context, codes)
    assert frequencies.shape == (ROWS, 2)
    assert (frequencies.astype(int).sum(1) == 1 << 14).all()
    prior = counted(frozen_model().context, codes[:0])
    assert (frequencies[:, 1] >= prior[:, 1]).all()
    assert (frequencies[:, 1].astype(int) - prior[:, 1] > 100).any()
