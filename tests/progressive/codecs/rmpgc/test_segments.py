from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.rmpgc.layout import LEVELS, PLANES, STAGES, TIERS, Layout
from progressive.codecs.rmpgc.segments import LARGEST_PREFIX, Contents
from progressive.errors import BitstreamError

LAYOUT = Layout(700, 530)
"""Four tiles: 8x8, 8x3, 1x8 and 1x3 blocks."""

STEPS = len(STAGES) + LEVELS

FIRST, FIRST_CUT = f"{len(STAGES):02x}", f"{128 + len(STAGES):02x}"
"""Third byte of a segment of the first level, and of a fragment of one."""


@st.composite
def any_contents(draw: st.DrawFn) -> Contents:
    tile, step = draw(st.integers(0, LAYOUT.tiles - 1)), draw(st.integers(0, STEPS - 1))
    members = st.sets(st.integers(0, LAYOUT.window(tile).blocks - 1), min_size=1)
    blocks = tuple(sorted(draw(members))) if step >= len(STAGES) else ()
    fragments = draw(st.integers(1, 0xFFFF))
    return Contents(tile, step, blocks, draw(st.binary(max_size=600)), draw(st.integers(0, fragments - 1)), fragments)


@given(contents=any_contents())
def test_contents_survive_their_bytes(contents: Contents) -> None:
    data = contents.to_bytes()
    assert Contents.from_bytes(data, LAYOUT) == contents
    assert len(data) - len(contents.code) <= LARGEST_PREFIX


@given(contents=any_contents(), max_payload=st.integers(4 * LARGEST_PREFIX, 300))
def test_fragments_fit_and_join(contents: Contents, max_payload: int) -> None:
    pieces = contents.whole.fitted(max_payload)
    assert pieces == [contents.whole]
    whole = Contents(contents.tile, contents.step, contents.blocks, contents.code)
    pieces = [Contents.from_bytes(piece.to_bytes(), LAYOUT) for piece in whole.fitted(max_payload)]
    assert max(len(piece.to_bytes()) for piece in pieces) <= max_payload
    assert b"".join(piece.code for piece in pieces) == whole.code
    assert [piece.fragment for piece in pieces] == list(range(len(pieces)))
    assert {piece.fragments for piece in pieces} == {len(pieces)}
    assert {piece.whole for piece in pieces} == {whole.whole}
    assert len(pieces) == 1 or max(len(p.code) for p in pieces) - len(pieces[-1].code) < len(pieces)


def test_a_prefix_is_what_the_format_says() -> None:
    blocks = Contents(1, len(STAGES) + 4, (0, 9, 23), b"code")
    assert blocks.to_bytes() == bytes.fromhex(f"0001 {len(STAGES) + 4:02x} 8040010000000000") + b"code"
    fragment = Contents(3, 2, (), b"code", 1, 258)
    assert fragment.to_bytes() == bytes.fromhex("0003 82 0001 0102") + b"code"


def test_a_level_belongs_to_the_layer_of_its_plane() -> None:
    assert [Contents(0, step).layer for step in range(len(STAGES))] == [0] * len(STAGES)
    levels = [Contents(0, step, (0,)) for step in range(len(STAGES), STEPS)]
    assert [c.level for c in levels] == list(range(1, LEVELS + 1))
    assert [c.layer for c in levels] == [plane for plane in range(1, PLANES + 1) for _ in range(TIERS)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "shorter than its prefix"),
        ("0000", "shorter than its prefix"),
        ("0004 00", "tile 4"),
        ("ffff 00", "tile 65535"),
        (f"0000 {STEPS:02x} 8000000000000000", f"step {STEPS}"),
        ("0000 7f 8000000000000000", "step 127"),
        (f"0000 {FIRST}", "blocks"),
        (f"0000 {FIRST} 80000000000000", "blocks"),
        (f"0000 {FIRST} 0000000000000000", "blocks"),
        (f"0001 {FIRST} 0000008000000000", "blocks"),
        (f"0003 {FIRST} 1000000000000000", "blocks"),
        ("0000 80", "shorter than its prefix"),
        ("0000 80 000100", "shorter than its prefix"),
        (f"0000 {FIRST_CUT} 8000000000000000 0001", "shorter than its prefix"),
        ("0000 80 0000 0000", "fragment 0 of 0"),
        ("0000 80 0000 0001", "fragment 0 of 1"),
        ("0000 80 0002 0002", "fragment 2 of 2"),
    ],
)
def test_a_malformed_prefix_is_refused(data: str, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        Contents.from_bytes(bytes.fromhex(data), LAYOUT)


@given(data=st.binary(max_size=40))
def test_any_bytes_are_refused_or_kept(data: bytes) -> None:
    try:
        contents = Contents.from_bytes(data, LAYOUT)
    except BitstreamError:
        return
    assert contents.to_bytes() == data
