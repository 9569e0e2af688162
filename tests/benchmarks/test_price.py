from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frozen_rmpgc import frozen_model

from benchmarks import _data, price
from benchmarks.price import Bytes, ideal_bytes, measured, spent
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.photos import sample_photo, write_png

CODEC = Rmpgc(frozen_model())
PHOTO = sample_photo("coffee")[100:220, 100:280].copy()


@pytest.fixture(scope="module")
def coded() -> CodedPhoto:
    return CODEC.analyse(PHOTO)


@pytest.mark.parametrize("max_payload", [100, 1200])
def test_parts_are_the_payloads_in_whole_segments_and_in_fragments(coded: CodedPhoto, max_payload: int) -> None:
    stream = CODEC.rank(coded, max_payload=max_payload)
    found = spent(stream, coded)
    for layer in range(PLANES + 1):
        payloads = [s.payload for s in stream.segments if s.layer == layer]
        assert found.payloads[layer] == sum(map(len, payloads))
        assert found.segments[layer] == len(payloads)
    assert (found.prefixes >= found.segments).all()
    assert found.names[0] == 0


def test_range_codes_take_little_more_than_the_ideal(coded: CodedPhoto) -> None:
    ideal, found = ideal_bytes(coded, CODEC.backbone.tables), spent(CODEC.rank(coded, max_payload=1200), coded)
    assert (ideal > 0).all()
    assert (found.codes < ideal + 2 * found.segments + 1e-3 * ideal).all()


def test_what_is_measured_adds_up() -> None:
    once = measured(CODEC, PHOTO, 1200)
    total = Bytes()
    total.add(once)
    total.add(once)
    np.testing.assert_allclose(total.payloads, 2 * once.payloads)
    np.testing.assert_allclose(total.ideal, 2 * once.ideal)


def test_a_run_prints_a_line_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "cup.png", PHOTO)
    monkeypatch.setattr(price.Multiscale, "load", lambda path: frozen_model())
    monkeypatch.setattr("sys.argv", ["price", str(tmp_path)])
    _data.run(price.benchmark)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 photos, segments of 1200 bytes")
    assert [line[:7].strip() for line in lines[2:]] == ["base", *(f"plane {n}" for n in range(1, PLANES + 1))]
