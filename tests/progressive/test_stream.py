import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import BitstreamError
from progressive.stream import MAX_PIXELS, LayeredStream, Segment, StreamHeader

sides = st.integers(1, 8000)
headers = st.builds(
    StreamHeader,
    codec=st.integers(0, 255),
    model_id=st.binary(min_size=8, max_size=8),
    width=sides,
    height=sides,
    segment_count=st.integers(0, 65535),
    parameters=st.binary(max_size=255),
)


@given(headers)
def test_a_header_reads_back_as_it_was_written(header: StreamHeader) -> None:
    assert StreamHeader.from_bytes(header.to_bytes()) == header


def test_the_bytes_of_a_header_are_those_of_the_format() -> None:
    header = StreamHeader(1, bytes(range(8)), 640, 480, 60, b"\xaa\xbb")
    assert header.to_bytes() == bytes.fromhex("01 0001020304050607 0280 01e0 003c 02 aabb")


@given(headers, st.binary(min_size=1, max_size=5))
def test_a_header_that_is_short_or_long_is_refused(header: StreamHeader, extra: bytes) -> None:
    whole = header.to_bytes()
    for wrong in (*(whole[:length] for length in range(len(whole))), whole + extra):
        with pytest.raises(BitstreamError):
            StreamHeader.from_bytes(wrong)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (65535, 65535), (MAX_PIXELS // 1000 + 1, 1000)])
def test_an_impossible_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(BitstreamError, match=f"{width}x{height}"):
        StreamHeader.from_bytes(StreamHeader(1, b"12345678", width, height, 1).to_bytes())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_a_bitstream_error(data: bytes) -> None:
    with contextlib.suppress(BitstreamError):
        assert StreamHeader.from_bytes(data).to_bytes() == data


def test_keeping_some_segments_changes_their_number_and_the_size() -> None:
    segments = tuple(Segment(i, 0, (), bytes(10 * i)) for i in range(1, 5))
    stream = LayeredStream(StreamHeader(1, b"12345678", 2, 2, 4), segments)
    kept = stream.keep(s for s in segments if s.id != 3)
    assert [s.id for s in kept.segments] == [1, 2, 4]
    assert (kept.header.segment_count, stream.size - kept.size) == (3, 30)


@pytest.mark.parametrize("package", ["progressive.stream", "progressive.wire", "sender.session", "receiver.session"])
def test_streams_packets_and_sessions_load_without_torch(package: str) -> None:
    program = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
