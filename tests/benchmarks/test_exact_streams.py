from __future__ import annotations

from dataclasses import replace

from benchmarks.exact_streams import read_file
from progressive.container import read_stream, stream_to_bytes
from progressive.photos import downscale, sample_photo
from progressive.registry import load_codec


def test_files_read_alike_in_any_order_and_otherwise_where_anything_differs() -> None:
    codec = load_codec("dual_autoencoder")
    contents = read_stream(stream_to_bytes(codec.encode(downscale(sample_photo("chelsea"), max_pixels=20_000))))
    refused, symbols, digest = read_file(codec, contents, seed=0)
    assert refused == 0
    assert symbols > 1000
    assert read_file(codec, contents, seed=1) == (refused, symbols, digest)
    number, payload = contents.segments[-1]
    flipped = (number, payload[:-2] + bytes([payload[-2] ^ 1]) + payload[-1:])
    assert read_file(codec, replace(contents, segments=(*contents.segments[:-1], flipped)), seed=0)[2] != digest
    longer = (number, payload + b"more")
    assert read_file(codec, replace(contents, segments=(*contents.segments[:-1], longer)), seed=0)[0] == 2
