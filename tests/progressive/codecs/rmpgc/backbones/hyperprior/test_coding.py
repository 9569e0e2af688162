from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.hyperprior.calibration import assumed_counts, code_everything, fit
from progressive.codecs.rmpgc.backbones.hyperprior.channels import ENHANCE
from progressive.codecs.rmpgc.backbones.hyperprior.coding import Coding
from progressive.codecs.rmpgc.backbones.hyperprior.model import Model
from progressive.codecs.rmpgc.backbones.hyperprior.tables import SHAPES, with_escape
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import CostMeter, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.laplace import ESCAPE, MAX_INDEX
from progressive.exact.tables import FrequencyTable

ROWS, COLUMNS = 2, 3


@pytest.fixture(scope="module")
def layers(frozen: Model, photo: Photo) -> list[Layer]:
    latent = frozen.latent_of(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255)
    found = [[part.clone() for part in layer] for layer in latent]
    found[1][0][0, 5, 1, 2] = MAX_INDEX
    found[ENHANCE][2][0, 7, 3, 4] = -MAX_INDEX
    return found


def blocks_of(coding: Coding, layers: list[Layer], chosen: list[int]) -> list[Layer]:
    return mapped(mapped(layers, coding.shapes, to_blocks), coding.shapes, lambda part, _: part[chosen])


def same(found: Layer, wanted: Layer) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("stage", [0, 1])
def test_stages_of_the_base_decode_to_what_was_coded(frozen: Model, layers: list[Layer], stage: int) -> None:
    coding, known = frozen.coding, layers[:stage]
    encoder = RangeSymbolEncoder(coding.tables)
    assert same(coding.code(encoder, stage, known, 1, ROWS, COLUMNS, layers[stage]), layers[stage])
    decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes())
    assert same(coding.code(decoder, stage, known, 1, ROWS, COLUMNS, None), layers[stage])
    decoder.finish()


@pytest.mark.parametrize("chosen", [[0], [1, 4, 5], [0, 1, 2, 3, 4, 5]])
def test_any_blocks_of_the_enhance_layer_decode_to_what_was_coded(
    frozen: Model, layers: list[Layer], chosen: list[int]
) -> None:
    coding, own = frozen.coding, blocks_of(frozen.coding, layers, chosen)
    encoder = RangeSymbolEncoder(coding.tables)
    coding.code(encoder, ENHANCE, own[:ENHANCE], len(chosen), 1, 1, own[ENHANCE])
    decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes())
    assert same(coding.code(decoder, ENHANCE, own[:ENHANCE], len(chosen), 1, 1, None), own[ENHANCE])
    decoder.finish()


def test_a_block_costs_the_same_beside_any_others(frozen: Model, layers: list[Layer]) -> None:
    coding = frozen.coding

    def bits(chosen: list[int]) -> np.ndarray:
        own, meter = blocks_of(coding, layers, chosen), CostMeter(coding.tables, len(chosen))
        coding.code(meter, ENHANCE, own[:ENHANCE], len(chosen), 1, 1, own[ENHANCE])
        return meter.bits

    whole = bits([0, 1, 2, 3, 4, 5])
    assert bits([4, 2]).tolist() == pytest.approx(whole[[4, 2]].tolist())


def test_coding_leaves_its_arguments_as_they_are(frozen: Model, layers: list[Layer]) -> None:
    coding, before = frozen.coding, [[part.clone() for part in layer] for layer in layers]
    for stage in range(ENHANCE):
        meter = CostMeter(coding.tables, 1)
        coding.code(meter, stage, layers[:stage], 1, ROWS, COLUMNS, layers[stage])
    assert all(same(a, b) for a, b in zip(layers, before, strict=True))


def test_counted_tables_make_what_was_counted_cheaper(frozen: Model, photo: Photo, layers: list[Layer]) -> None:
    priors, encoder = frozen.coding.priors, frozen.encoder

    def cost(tables: dict[str, FrequencyTable]) -> float:
        meter = CostMeter(tables, ROWS * COLUMNS)
        code_everything(Coding(priors, tables), layers, meter)
        return float(meter.bits.sum())

    with torch.inference_mode():
        wanted = encoder.wanted(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255)
        assert cost(fit(priors, encoder, [wanted])) < 0.95 * cost(fit(priors, encoder, []))


def test_assumed_counts_are_distributions_of_every_row() -> None:
    counts = assumed_counts()
    assert {name: table.shape for name, table in counts.items()} == SHAPES
    assert all(np.ptp(table.sum(1)) < 1e-6 for table in counts.values())


def test_tables_of_another_shape_are_refused(frozen: Model) -> None:
    tables = dict(frozen.coding.tables)
    assert set(with_escape(tables)) == {*SHAPES, ESCAPE}
    with pytest.raises(ValueError, match="the table refined has another shape"):
        with_escape(tables | {"refined": tables["base_hyper"]})
