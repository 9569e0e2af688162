from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH, LEVELS, PLANES, SCALES, TIERS, layout_of
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import Layout
from progressive.codecs.rmpgc.segments import (
    ALL,
    BASE,
    RUN,
    SET,
    Contents,
    Listed,
    largest_prefix,
    named,
    naming,
    next_level,
    tile_bytes,
)
from progressive.errors import BitstreamError
from progressive.photos import sample_photo
from progressive.stream import MAX_SEGMENTS

ONE_TILE, FOUR_TILES, MANY_TILES = layout_of(512, 300), layout_of(700, 530), layout_of(8500, 8500)
LAYOUTS = (ONE_TILE, FOUR_TILES, MANY_TILES)

PACKET_ID = 2
"""Bytes of a segment's id in a packet."""


@st.composite
def any_contents(draw: st.DrawFn) -> tuple[int, Contents, Layout]:
    """An id, what the segment holds, and of what photo."""
    segment_id, layout = draw(st.integers(2, MAX_SEGMENTS)), draw(st.sampled_from(LAYOUTS))
    form = draw(st.sampled_from((ALL, RUN, SET, BASE)))
    fragments = draw(st.integers(1, 0xFFFF))
    contents = Contents(
        form, draw(st.binary(max_size=600)), fragment=draw(st.integers(0, fragments - 1)), fragments=fragments
    )
    if form != BASE:
        return segment_id, replace(contents, reference=draw(st.integers(1, segment_id - 1))), layout
    tile, run = draw(st.integers(0, layout.tiles - 1)), draw(st.integers(0, len(DEPTH.runs) - 1))
    return segment_id, replace(contents, tile=tile, run=run), layout


def prefix_of(segment_id: int, contents: Contents, layout: Layout) -> int:
    return len(contents.to_bytes(segment_id, layout)) - len(contents.body)


@settings(deadline=None)
@given(drawn=any_contents())
def test_contents_survive_their_bytes(drawn: tuple[int, Contents, Layout]) -> None:
    segment_id, contents, layout = drawn
    assert Contents.from_bytes(contents.to_bytes(segment_id, layout), segment_id, layout) == contents


@settings(deadline=None)
@given(drawn=any_contents())
def test_a_prefix_takes_a_byte_and_what_names_the_tile_or_the_distance(drawn: tuple[int, Contents, Layout]) -> None:
    segment_id, contents, layout = drawn
    distance = segment_id - contents.reference - 1
    named_in = tile_bytes(layout) if contents.form == BASE else (distance > 15) + (distance > 2047)
    cut = 4 if contents.fragments > 1 else 0
    assert prefix_of(segment_id, contents, layout) == 1 + named_in + cut


@settings(deadline=None)
@given(drawn=any_contents(), max_payload=st.integers(44, 300))
def test_fragments_fit_and_join(drawn: tuple[int, Contents, Layout], max_payload: int) -> None:
    segment_id, contents, layout = drawn
    whole = replace(contents, fragment=0, fragments=1)
    pieces = whole.fitted(max_payload, layout)
    assert max(len(piece.to_bytes(segment_id, layout)) for piece in pieces) <= max_payload
    assert b"".join(piece.body for piece in pieces) == whole.body
    assert [piece.fragment for piece in pieces] == list(range(len(pieces)))
    assert {piece.fragments for piece in pieces} == {len(pieces)}
    assert {piece.whole for piece in pieces} == {whole.whole}
    assert len(pieces) == 1 or max(len(p.body) for p in pieces) - len(pieces[-1].body) < len(pieces)


@settings(deadline=None)
@given(among=st.permutations(range(64)), data=st.data())
def test_blocks_that_are_named_are_found_in_rising_order(among: list[int], data: st.DataObject) -> None:
    among = among[: data.draw(st.integers(1, 64))]
    if data.draw(st.booleans()):
        first = data.draw(st.integers(0, len(among) - 1))
        chosen = among[first : data.draw(st.integers(first + 1, len(among)))]
    else:
        chosen = data.draw(st.lists(st.sampled_from(among), min_size=1, unique=True))
    form, names = naming(chosen, among)
    assert named(form, names + b"code", among) == (tuple(sorted(chosen)), b"code")
    assert 1 + 2 + len(names) <= largest_prefix(len(among))


def test_blocks_are_named_as_briefly_as_can_be() -> None:
    many, few = list(range(40, 0, -1)), list(range(9))
    assert naming(many, many) == (ALL, b"")
    assert naming(many[3:20], many) == (RUN, bytes([3, 17]))
    assert naming([many[0], many[39]], many) == (SET, bytes.fromhex("8000000001"))
    assert naming(few[2:4], few) == (SET, bytes.fromhex("3000"))


@pytest.mark.parametrize("names", ["", "04", "0000", "0400", "001a", "1902", "ff01"])
def test_a_run_that_is_not_in_the_list_is_refused(names: str) -> None:
    with pytest.raises(BitstreamError):
        named(RUN, bytes.fromhex(names), list(range(25)))
    assert named(RUN, bytes.fromhex("0019"), list(range(25))) == (tuple(range(25)), b"")


@pytest.mark.parametrize("names", ["", "80", "800000", "00000000", "00000040", "80000001"])
def test_a_set_that_is_not_in_the_list_is_refused(names: str) -> None:
    with pytest.raises(BitstreamError):
        named(SET, bytes.fromhex(names), list(range(25)))
    assert named(SET, bytes.fromhex("80000080"), list(range(25))) == ((0, 24), b"")


@pytest.mark.parametrize(
    ("segment_id", "contents", "layout", "expected"),
    [
        (1, Contents(BASE, b"code", run=DEPTH.runs.index((0, SCALES - 1))), ONE_TILE, "c6"),
        (9, Contents(BASE, b"code", tile=3, run=DEPTH.runs.index((2, 4))), FOUR_TILES, "cf 03"),
        (9, Contents(BASE, b"code", tile=258, run=0), MANY_TILES, "c0 0102"),
        (9, Contents(BASE, b"code", tile=3, run=27, fragment=1, fragments=258), FOUR_TILES, "fb 03 0001 0102"),
        (9, Contents(ALL, b"code", reference=8), ONE_TILE, "00"),
        (17, Contents(RUN, b"code", reference=1), ONE_TILE, "4f"),
        (18, Contents(SET, b"code", reference=1), ONE_TILE, "90 01"),
        (2049, Contents(SET, b"code", reference=1), ONE_TILE, "9f 7f"),
        (2050, Contents(SET, b"code", reference=1), ONE_TILE, "90 80 01"),
        (MAX_SEGMENTS, Contents(ALL, b"code", reference=1), ONE_TILE, "1d ff 1f"),
        (9, Contents(SET, b"code", reference=7, fragment=2, fragments=3), ONE_TILE, "a1 0002 0003"),
    ],
)
def test_a_prefix_is_what_the_format_says(segment_id: int, contents: Contents, layout: Layout, expected: str) -> None:
    data = bytes.fromhex(expected) + b"code"
    assert contents.to_bytes(segment_id, layout) == data
    assert Contents.from_bytes(data, segment_id, layout) == contents


def test_runs_are_all_that_follow_each_other() -> None:
    assert len(set(DEPTH.runs)) == len(DEPTH.runs) == SCALES * (SCALES + 1) // 2 < 32
    assert all(0 <= first <= last < SCALES for first, last in DEPTH.runs)
    assert [DEPTH.runs.index(run) for run in DEPTH.runs] == list(range(len(DEPTH.runs)))


def test_the_next_level_is_one_on_and_belongs_to_the_layer_of_its_plane() -> None:
    levels = [next_level(Listed(0, level, (0,)), LEVELS) for level in range(LEVELS)]
    assert levels == list(range(1, LEVELS + 1))
    assert [DEPTH.layer_of(n) for n in levels] == [plane for plane in range(1, PLANES + 1) for _ in range(TIERS)]
    assert DEPTH.layer_of(0) == 0
    with pytest.raises(BitstreamError, match="beyond the last"):
        next_level(Listed(0, LEVELS, (0,)), LEVELS)


@pytest.mark.parametrize(
    ("data", "layout", "message"),
    [
        ("", ONE_TILE, "shorter than its prefix"),
        ("c0", FOUR_TILES, "shorter than its prefix"),
        ("c0 00", MANY_TILES, "shorter than its prefix"),
        ("dc", ONE_TILE, "run 28"),
        ("c0 04", FOUR_TILES, "tile 4"),
        ("c0 ffff", MANY_TILES, "tile 65535"),
        ("e0 00", ONE_TILE, "shorter than its prefix"),
        ("e0 0000 01", ONE_TILE, "shorter than its prefix"),
        ("e0 0000 0000", ONE_TILE, "fragment 0 of 0"),
        ("e0 0000 0001", ONE_TILE, "fragment 0 of 1"),
        ("20 0002 0002", ONE_TILE, "fragment 2 of 2"),
        ("20 0001", ONE_TILE, "shorter than its prefix"),
        ("08", ONE_TILE, "refers to none"),
        ("10", ONE_TILE, "shorter than its prefix"),
        ("10 80", ONE_TILE, "shorter than its prefix"),
        ("10 01", ONE_TILE, "refers to none"),
        ("10 ffff", ONE_TILE, "refers to none"),
    ],
)
def test_a_malformed_prefix_is_refused(data: str, layout: Layout, message: str) -> None:
    """In the eighth segment."""
    with pytest.raises(BitstreamError, match=message):
        Contents.from_bytes(bytes.fromhex(data), 8, layout)


@settings(deadline=None)
@given(data=st.binary(max_size=40), segment_id=st.integers(1, MAX_SEGMENTS), layout=st.sampled_from(LAYOUTS))
def test_any_bytes_are_refused_or_kept(data: bytes, segment_id: int, layout: Layout) -> None:
    try:
        contents = Contents.from_bytes(data, segment_id, layout)
    except BitstreamError:
        return
    again = contents.to_bytes(segment_id, layout)
    assert Contents.from_bytes(again, segment_id, layout) == contents
    assert len(again) <= len(data)


def test_a_segment_takes_six_bytes_at_most_besides_its_code(codec: Rmpgc) -> None:
    """The id in its packet counted; in a tile of many blocks."""
    coded, layout = codec.analyse(sample_photo("chelsea")[:256, :320].copy()), layout_of(320, 256)
    found, forms = [], set()
    for max_payload in (1000, 3000):
        listed: dict[int, tuple[int, ...]] = {}
        for segment in codec.rank(coded, max_payload=max_payload).segments:
            contents = Contents.from_bytes(segment.payload, segment.id, layout)
            names = 0
            if contents.form == BASE:
                listed[segment.id] = coded.coded.tiles[0].by_activity
            elif contents.fragment:
                listed[segment.id] = listed[contents.reference]
            else:
                blocks, rest = named(contents.form, contents.body, listed[contents.reference])
                names = len(contents.body) - len(rest)
                listed[segment.id] = blocks
            if contents.fragments == 1:
                forms.add(contents.form)
                found.append(PACKET_ID + prefix_of(segment.id, contents, layout) + names)
    assert {ALL, RUN, BASE} <= forms
    assert 3 <= min(found) < max(found) <= 6
