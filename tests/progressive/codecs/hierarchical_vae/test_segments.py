from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.latents import LATENTS
from progressive.codecs.hierarchical_vae.segments import Contents, prefix_bytes, tile_bytes
from progressive.errors import BitstreamError
from progressive.segments.tiles import TILE_SIDES, Layout

ONE, SOME, MANY = Layout(400, 300), Layout(1500, 1000), Layout(8064, 8064, 2)


@pytest.mark.parametrize(("layout", "size"), [(ONE, 0), (SOME, 1), (MANY, 2)])
def test_contents_survive_their_bytes(layout: Layout, size: int) -> None:
    assert tile_bytes(layout) == size
    tile = layout.tiles - 1
    for contents in (Contents(tile, 0, b"code"), Contents(tile, 5, b"", 0, 2), Contents(tile, 7, b"x", 0, 1)):
        data = contents.to_bytes(layout)
        assert Contents.from_bytes(data, layout) == contents
        assert len(data) == prefix_bytes(layout, contents.latent) + len(contents.code)


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\6\0", b"\0\x08", b"\0\1", b"\0\1\0", b"\0\1\0\0", b"\0\1\x3f\2code", b"\0\1\x40\1"]
)
def test_what_a_stream_cannot_have_is_refused(data: bytes) -> None:
    """Six tiles, eight latents, 64 blocks in the first tile."""
    assert SOME.tiles == 6
    assert len(LATENTS) == 8
    if data == b"\0\0":
        return
    with pytest.raises(BitstreamError):
        Contents.from_bytes(data, SOME)


@given(st.binary(max_size=12))
def test_any_bytes_are_contents_or_refused(data: bytes) -> None:
    try:
        contents = Contents.from_bytes(data, SOME)
    except BitstreamError:
        return
    assert contents.to_bytes(SOME) == data


@pytest.mark.parametrize("side", TILE_SIDES)
def test_tiles_cover_every_block_once(side: int) -> None:
    layout = Layout(1300, 700, side)
    seen = set()
    for window in layout.windows():
        blocks = {(r, c) for r in range(window.top, window.top + window.height)
                  for c in range(window.left, window.left + window.width)}  # fmt: skip
        assert not seen & blocks
        seen |= blocks
    assert len(seen) == layout.rows * layout.columns == 11 * 21


@given(st.binary(max_size=60))
def test_parameters_are_parsed_or_refused(data: bytes) -> None:
    try:
        parameters = Parameters.from_bytes(data)
    except BitstreamError:
        return
    assert parameters.to_bytes() == data
