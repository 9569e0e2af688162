import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.records import HEADER_ID, Record, parse_records, write_records

RECORDS = st.lists(
    st.builds(Record, st.integers(1, 0xFFFF), st.binary(max_size=50))
    | st.builds(Record, st.just(HEADER_ID), st.binary(min_size=1, max_size=50)),
    max_size=6,
)


@given(RECORDS, st.integers(0, 20))
def test_records_come_back_whatever_the_zero_padding(records, padding):
    payload = write_records(records)
    assert len(payload) == sum(record.size for record in records)
    assert parse_records(payload + bytes(padding)) == records


@given(RECORDS.filter(bool))
def test_every_cut_gives_a_prefix_or_the_wire_error(records):
    payload = write_records(records)
    for cut in range(len(payload)):
        try:
            parsed = parse_records(payload[:cut])
        except WireError:
            continue
        assert parsed == records[: len(parsed)]


@given(RECORDS, st.integers(0, 10), st.integers(1, 255))
def test_padding_must_be_zero(records, zeros, byte):
    with pytest.raises(WireError):
        parse_records(write_records(records) + bytes(4 + zeros) + bytes([byte]))


@given(st.binary(max_size=60))
def test_noise_parses_or_is_refused(noise):
    try:
        records = parse_records(noise)
    except WireError:
        return
    assert write_records(records) + bytes(len(noise) - sum(record.size for record in records)) == noise


def test_bytes_are_those_of_the_format():
    assert write_records([Record(0, b"H"), Record(0x0102, b"ab")]).hex() == "00000001" + "48" + "01020002" + "6162"
