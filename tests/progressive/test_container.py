import contextlib
import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from progressive import container
from progressive.container import (
    ABOUT_MARK,
    SYNC,
    about_size,
    cut,
    file_size,
    read_stream,
    stream_to_bytes,
    write_stream,
)
from progressive.errors import BitstreamError, UsageError
from progressive.stream import LayeredStream, Segment, StreamHeader
from progressive.wire.about import About

HEADER = StreamHeader(1, b"model-id", 640, 480, 4, b"\x01\x02")
SEGMENTS = tuple(Segment(i, i > 1, (), bytes([i]) * size) for i, size in ((1, 40), (2, 0), (3, 300), (4, 7)))
STREAM = LayeredStream(HEADER, SEGMENTS)
FILE = stream_to_bytes(STREAM)
PAIRS = tuple((segment.id, segment.payload) for segment in SEGMENTS)
START = 7 + len(HEADER.to_bytes()) + 4


def intact_up_to(length: int) -> int:
    """How many of the records end within the first `length` bytes."""
    ends = [file_size(LayeredStream(HEADER, SEGMENTS[:count])) for count in range(1, len(SEGMENTS) + 1)]
    return sum(end <= length for end in ends)


def test_the_bytes_are_those_of_the_format() -> None:
    header = StreamHeader(1, bytes(range(8)), 2, 3, 1, b"\xaa")
    head = bytes.fromhex("8f505247 01 0011 01 0001020304050607 0002 0003 0001 01 aa")
    checksum = struct.pack("!I", google_crc32c.value(head))
    body = bytes.fromhex("0007 0003 616263")
    record = bytes.fromhex("b54c") + body + struct.pack("!I", google_crc32c.value(checksum + body))
    assert stream_to_bytes(LayeredStream(header, (Segment(7, 0, (), b"abc"),))) == head + checksum + record


def test_the_checksum_is_crc_32c() -> None:
    assert google_crc32c.value(b"123456789") == 0xE3069283


payloads = st.lists(st.binary(max_size=60), max_size=12)


@given(payloads, st.binary(max_size=255), st.randoms(use_true_random=False))
def test_a_stream_reads_back_as_it_was_written(contents: list[bytes], parameters: bytes, random: object) -> None:
    assume(not any(payload.startswith(ABOUT_MARK) for payload in contents))
    ids = random.sample(range(1, 65536), len(contents))  # type: ignore[attr-defined]
    segments = tuple(Segment(i, 0, (), payload) for i, payload in zip(ids, contents, strict=True))
    header = StreamHeader(9, b"12345678", 3, 5, len(segments), parameters)
    stream = LayeredStream(header, segments)
    data = stream_to_bytes(stream)
    read = read_stream(data)
    assert len(data) == file_size(stream)
    assert read.header == header
    assert read.segments == tuple((s.id, s.payload) for s in segments)
    assert (read.complete, read.missing, read.damaged) == (True, 0, 0)


def test_a_segment_that_would_be_taken_for_what_is_said_of_the_photo_fits_no_file() -> None:
    stream = LayeredStream(HEADER, (Segment(3, 0, (), ABOUT_MARK + b"more"),))
    with pytest.raises(UsageError, match="segment 3 fits no file"):
        stream_to_bytes(stream)


def test_a_cut_anywhere_keeps_every_record_before_it() -> None:
    for length in range(len(FILE) + 1):
        if length < START:
            with pytest.raises(BitstreamError):
                read_stream(FILE[:length])
            continue
        read = read_stream(FILE[:length])
        count = intact_up_to(length)
        assert read.segments == PAIRS[:count]
        assert (read.missing, read.damaged) == (len(PAIRS) - count, 0)
        assert read.complete == (length == len(FILE))


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_costs_one_record_or_the_header(bit: int) -> None:
    for position in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[position] ^= 1 << bit
        if position < START:
            with pytest.raises(BitstreamError):
                read_stream(bytes(damaged))
            continue
        read = read_stream(bytes(damaged))
        lost = intact_up_to(position)
        assert read.segments == PAIRS[:lost] + PAIRS[lost + 1 :]
        assert read.missing == 1
        assert read.damaged == 1 or lost == len(PAIRS) - 1


edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat"]),
        st.integers(0, len(FILE)),
        st.one_of(st.binary(min_size=1, max_size=30), st.sampled_from([SYNC, SYNC * 5, FILE[START : START + 60]])),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=400)
@given(edits)
def test_damage_never_yields_a_wrong_segment(changes: list[tuple[str, int, bytes]]) -> None:
    data = FILE
    for kind, position, content in changes:
        if kind == "flip":
            flipped = bytes(a ^ b for a, b in zip(data[position:], content, strict=False))
            data = data[:position] + flipped + data[position + len(flipped) :]
        elif kind == "cut":
            data = data[:position] + data[position + len(content) :]
        elif kind == "insert":
            data = data[:position] + content + data[position:]
        else:
            data += data[position:]
    try:
        read = read_stream(data)
    except BitstreamError:
        return
    assert read.header == HEADER
    assert set(read.segments) <= set(PAIRS)
    assert read.missing == len(PAIRS) - len(read.segments)


@given(st.binary(max_size=400), st.integers(0, START))
def test_any_bytes_after_any_beginning_read_or_raise(tail: bytes, kept: int) -> None:
    with contextlib.suppress(BitstreamError):
        assert read_stream(FILE[:kept] + tail).segments == ()


def test_a_record_of_another_photo_is_not_taken() -> None:
    other = stream_to_bytes(LayeredStream(StreamHeader(1, b"model-id", 640, 481, 4), SEGMENTS))
    read = read_stream(FILE[:START] + other[-(len(FILE) - START) :])
    assert (read.segments, read.damaged) == ((), 1)


def test_records_hidden_in_damage_are_found_and_stretches_counted() -> None:
    record = FILE[START : START + 50]
    read = read_stream(FILE[:START] + b"junk" + SYNC + record + record + b"\xb5" + FILE[START + 50 :])
    assert (read.segments, read.damaged) == (PAIRS, 2)


def test_nothing_but_sync_markers_is_read_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = 0
    extend = google_crc32c.extend

    def counting(crc: int, data: bytes) -> int:
        nonlocal checked
        checked += len(data)
        return int(extend(crc, data))

    monkeypatch.setattr(google_crc32c, "extend", counting)
    data = FILE[:START] + (SYNC + b"\xff\xf0\xff\xf0") * 100_000
    assert read_stream(data).segments == ()
    assert checked < 10 * len(data)


@pytest.mark.parametrize(
    "segment", [Segment(0, 0, (), b""), Segment(65536, 0, (), b""), Segment(1, 0, (), bytes(65536))]
)
def test_a_segment_that_no_record_holds_is_refused(segment: Segment) -> None:
    with pytest.raises(UsageError, match="65535"):
        stream_to_bytes(LayeredStream(HEADER, (segment,)))


@given(st.integers(0, len(FILE) + 10))
def test_a_cut_stream_is_all_that_fits_in_order_then_whatever_still_does(size: int) -> None:
    if size < START:
        with pytest.raises(UsageError, match=f"{START}"):
            cut(STREAM, size)
        return
    kept = cut(STREAM, size)
    assert file_size(kept) <= size
    prefix = intact_up_to(size)
    assert kept.segments[:prefix] == SEGMENTS[:prefix]
    assert list(kept.segments) == [s for s in SEGMENTS if s in kept.segments]
    left = size - file_size(kept)
    assert all(file_size(STREAM.keep([s])) - START > left for s in SEGMENTS if s not in kept.segments)
    assert read_stream(stream_to_bytes(kept)).complete


def test_a_cut_stream_keeps_no_segment_without_those_it_depends_on() -> None:
    first, second = Segment(1, 0, (), bytes(40)), Segment(2, 1, (1,), b"")
    stream = LayeredStream(HEADER, (first, second))
    assert cut(stream, START + 20).segments == ()
    assert cut(stream, file_size(stream)).segments == (first, second)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.prog", STREAM)
    assert (tmp_path / "a.prog").read_bytes() == FILE
    with pytest.raises(UsageError, match="cannot write"):
        write_stream(tmp_path / "missing" / "a.prog", STREAM)


def as_before(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """The segments as readers take them that know nothing of what is said of a photo: by id, the first of each."""
    found: dict[int, bytes] = {}
    for _, segment_id, payload in container._intact_records(data, START):
        found.setdefault(segment_id, payload)
    return tuple(found.items())


def test_what_is_said_of_the_photo_changes_nothing_for_readers_of_before() -> None:
    about = About(name="cliff.jpg", latitude=47.26, longitude=11.39)
    data = stream_to_bytes(STREAM, about)
    assert len(data) == len(FILE) + about_size(about)
    assert as_before(data) == PAIRS
    for length in range(START, len(data) + 1):
        read = read_stream(data[:length])
        assert read.damaged == 0
        assert read.segments == PAIRS[: len(read.segments)]
        assert read.about in {About(), about}
    assert read_stream(data).about == about
    assert read_stream(data[: START + 50 + about_size(about)]).about == about, "it stands behind the first segment"


def test_what_is_said_of_the_photo_may_be_damaged() -> None:
    data = stream_to_bytes(STREAM, About(name="cliff.jpg"))
    place = data.index(b"cliff")
    read = read_stream(data[:place] + b"X" + data[place + 1 :])
    assert (read.segments, read.damaged, read.about) == (PAIRS, 1, About())
