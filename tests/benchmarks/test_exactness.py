from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model, frozen_tensors
from torch import Tensor

from benchmarks import exactness
from benchmarks.exactness import Coded, Latent, Variant, code_of, compared, elsewhere, networks_for, tiles_of
from progressive.errors import UsageError
from progressive.exact.layers import Conv, int8_is_fast
from progressive.photos import sample_photo

MODEL, TENSORS = frozen_model(), frozen_tensors()


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def latent() -> Latent:
    return next(tiles_of(sample_photo("coffee")[100:200, 100:250], MODEL))


@pytest.fixture(scope="module")
def reference(latent: Latent) -> Coded:
    return code_of(Variant("reference"), MODEL, TENSORS)(latent)


@pytest.mark.parametrize("name", ["blocks alone", "float64", "int64", "NCHW"])
def test_another_arithmetic_codes_the_same_symbols(name: str, latent: Latent, reference: Coded) -> None:
    variant = next(v for v in exactness.variants() if v.name == name)
    total, differing = compared(reference, code_of(variant, MODEL, TENSORS)(latent))
    assert total >= 2 * sum(y.numel() for y in latent)
    assert differing == 0


@pytest.mark.parametrize("name", ["int8", "int8, blocks alone"])
def test_bytes_code_the_same_symbols(name: str, latent: Latent, reference: Coded) -> None:
    variant = next(v for v in exactness.variants() if v.name == name)
    if not int8_is_fast():
        pytest.skip("this processor does not multiply bytes")
    assert compared(reference, code_of(variant, MODEL, TENSORS)(latent))[1] == 0


def test_a_process_with_older_instructions_codes_the_same_symbols(latent: Latent, reference: Coded) -> None:
    before = dict(os.environ)
    variant = next(v for v in exactness.variants() if v.name == "float32, AVX2")
    with elsewhere(variant, TENSORS) as code:
        found = code(latent)
    assert compared(reference, found)[1] == 0
    assert dict(os.environ) == before


def test_an_arithmetic_that_rounds_is_counted(latent: Latent, reference: Coded) -> None:
    def rounded(layer: Conv, x: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
        return layer.forward((x / 4).round() * 4, kind, plus)

    code = code_of(Variant("six bits", arithmetic=rounded), MODEL, TENSORS)
    assert compared(reference, code(latent))[1] > 1000


def test_rows_symbols_and_lengths_that_differ_are_counted() -> None:
    def record(rows: list[int], symbols: list[int]) -> Coded:
        return [np.array([rows, symbols], np.int16)]

    expected = record([1, 2, 3], [0, 1, 0])
    assert compared(expected, record([1, 2, 3], [0, 1, 0])) == (3, 0)
    assert compared(expected, record([1, 2, 4], [1, 1, 0])) == (3, 2)
    assert compared(expected, record([1, 2], [0, 1])) == (3, 3)
    assert compared(record([], []), record([1], [0])) == (0, 1)


def test_the_known_answer_tells_a_change_of_each_layer() -> None:
    networks = networks_for(Variant("float32"), TENSORS)
    caught, layers = exactness.caught_changes(networks, MODEL.known_answer, 3, every=9)
    assert caught == layers > 3
    assert torch.equal(exactness.known_answer(networks), MODEL.known_answer)


def test_a_kernel_whose_known_answer_differs_is_refused() -> None:
    with pytest.raises(UsageError):
        networks_for(Variant("float32"), {**TENSORS, "known_answer": MODEL.known_answer + 1})


def test_generated_photos_repeat_with_their_seed() -> None:
    first, again = (exactness.generated(np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (512, 512, 3)
    assert not np.array_equal(first, exactness.generated(np.random.default_rng(5)))
