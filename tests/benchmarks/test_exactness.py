from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model
from torch import Tensor

from benchmarks import exactness
from benchmarks.exactness import Variant, coded, compared, networks_for, tiles_of
from progressive.codecs.rmpgc.layers import Layer
from progressive.codecs.rmpgc.records import Recorder
from progressive.photos import sample_photo

MODEL = frozen_model()


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def latent() -> list[Tensor]:
    with torch.inference_mode():
        return next(tiles_of(sample_photo("coffee")[100:200, 100:250], MODEL))


@pytest.fixture(scope="module")
def reference(latent: list[Tensor]) -> list[Recorder]:
    with torch.inference_mode():
        return coded(MODEL, MODEL.networks, latent)


@pytest.mark.parametrize("name", ["blocks alone", "float64", "int64", "NCHW"])
def test_another_arithmetic_codes_the_same_symbols(name: str, latent: list[Tensor], reference: list[Recorder]) -> None:
    variant = next(v for v in exactness.variants() if v.name == name)
    with variant.setting():
        found = coded(MODEL, networks_for(variant, MODEL.networks), latent, alone=variant.alone)
    coefficients = sum(y.numel() for y in latent)
    total, differing = compared(reference, found)
    assert total >= 4 * coefficients
    assert differing == 0


def test_an_arithmetic_that_rounds_is_counted(latent: list[Tensor], reference: list[Recorder]) -> None:
    def rounded(layer: Layer, x: Tensor) -> Tensor:
        return layer.forward((x / 4).round() * 4)

    found = coded(MODEL, networks_for(Variant("six bits", rounded), MODEL.networks), latent)
    assert compared(reference, found)[1] > 1000


def test_rows_symbols_and_lengths_that_differ_are_counted() -> None:
    def record(rows: list[int], symbols: list[int]) -> list[Recorder]:
        made = Recorder()
        made.code("table", np.array(rows), np.array(symbols, np.int32), np.zeros(len(rows), np.intp))
        return [made]

    expected = record([1, 2, 3], [0, 1, 0])
    assert compared(expected, record([1, 2, 3], [0, 1, 0])) == (3, 0)
    assert compared(expected, record([1, 2, 4], [1, 1, 0])) == (3, 2)
    assert compared(expected, record([1, 2], [0, 1])) == (3, 3)


def test_generated_photos_repeat_with_their_seed() -> None:
    first, again = (exactness.generated(np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (512, 512, 3)
    assert not np.array_equal(first, exactness.generated(np.random.default_rng(5)))
