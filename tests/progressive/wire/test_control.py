import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.control import MAX_MESSAGE, MAX_RECENT, End, Report, parse_message

U32 = st.integers(0, 2**32 - 1)
REPORTS = st.builds(
    Report,
    stream=U32,
    received=U32,
    expected=U32,
    loss=st.floats(0, 1),
    burst=st.floats(0, 1e6),
    segments=st.integers(0, 65535),
    complete=st.booleans(),
    ended=st.booleans(),
    receiver=U32,
    burst_s=st.floats(0, 1e6),
    layers=st.integers(0, 65535),
    latest=U32,
    recent=st.binary(max_size=MAX_RECENT),
)
MESSAGES = REPORTS | st.builds(End, stream=U32, more=st.booleans())
REPORT = {
    "type": "report",
    "stream": 1,
    "received": 2,
    "expected": 3,
    "loss": 0.5,
    "burst": 1.0,
    "segments": 4,
    "complete": False,
    "ended": False,
    "receiver": 5,
    "burst_s": 0.25,
    "layers": 1,
    "latest": 2,
    "recent": b"\xc0",
}


@given(MESSAGES)
def test_every_message_comes_back(message):
    payload = message.to_bytes()
    assert len(payload) <= MAX_MESSAGE
    assert parse_message(payload) == message


@given(MESSAGES)
def test_truncated_or_extended_messages_are_refused(message):
    payload = message.to_bytes()
    for wrong in [payload[:cut] for cut in range(len(payload))] + [payload + b"\0", payload + payload]:
        with pytest.raises(WireError):
            parse_message(wrong)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
)


@given(st.binary(max_size=300) | JUNK.map(msgpack.packb))
def test_noise_is_refused_with_the_wire_error(noise):
    with pytest.raises(WireError):
        parse_message(noise)


@given(st.sampled_from(sorted(REPORT)), JUNK)
def test_a_wrong_field_is_refused_or_valid(field, value):
    try:
        message = parse_message(msgpack.packb(REPORT | {field: value}))
    except WireError:
        return
    assert getattr(message, field) == value


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": 1.1},
        {"loss": float("nan")},
        {"burst": float("inf")},
        {"segments": -1},
        {"segments": "4"},
        {"stream": 2**32},
        {"loss": 3.0},
        {"burst_s": -1.0},
        {"layers": 65536},
        {"recent": bytes(33)},
        {"recent": "x"},
    ]
    + [{"complete": 1}, {"extra": 0}, {"type": "end"}, {"type": "join"}],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(WireError):
        parse_message(msgpack.packb(REPORT | changes))


def test_a_report_without_what_older_receivers_do_not_know_is_understood():
    known = ("receiver", "burst_s", "layers", "latest", "recent")
    report = parse_message(msgpack.packb({key: value for key, value in REPORT.items() if key not in known}))
    assert (report.segments, report.receiver, report.layers, report.recent) == (4, 0, 0, b"")


def test_the_longest_report_fits():
    longest = Report(
        **REPORT
        | {"loss": 1 / 3, "burst": 1 / 3, "burst_s": 1 / 3, "segments": 65535, "layers": 65535, "recent": b"\xff" * 32}
        | dict.fromkeys(("stream", "received", "expected", "receiver", "latest"), 2**32 - 1)
    )
    assert len(longest.to_bytes()) < 220


def test_a_missing_field_is_refused():
    with pytest.raises(WireError, match="fields"):
        parse_message(msgpack.packb({key: value for key, value in REPORT.items() if key != "loss"}))
