from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from progressive.errors import UsageError
from progressive.transport.webrtc.tokens import Tokens, read_tokens

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
FIRST, SECOND = "a" * 16, "b" * 20 + "-._~+/=="


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    file = tmp_path / "tokens"
    file.write_text(f"# of the summer\n\n{FIRST}\n{SECOND} 2030-06-01T14:00+02:00\n")
    return read_tokens(file)


def test_a_token_lets_in_until_it_expires(tokens: Tokens) -> None:
    assert tokens.refusal(f"Bearer {FIRST}", NOW) == ""
    assert tokens.refusal(f"bearer  {SECOND}", NOW - timedelta(seconds=1)) == ""
    assert tokens.refusal(f"Bearer {SECOND}", NOW) == "the token has expired"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {FIRST}", FIRST])
def test_without_a_token_nobody_comes_in(tokens: Tokens, header: str | None) -> None:
    assert "a token is needed" in tokens.refusal(header, NOW)


@pytest.mark.parametrize("shown", [FIRST[:-1], FIRST + "a", FIRST.upper(), "ä" * 16, "\udcff", "#"])
def test_another_token_is_wrong(tokens: Tokens, shown: str) -> None:
    assert tokens.refusal(f"Bearer {shown}", NOW) == "the token is wrong"


def test_a_receiver_shows_the_first(tokens: Tokens) -> None:
    assert tokens.header == f"Bearer {FIRST}"


def test_a_token_that_stands_there_twice_expires_with_the_later_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{FIRST} 2029-01-01T00:00Z\n{FIRST} 2031-01-01T00:00Z\n")
    assert read_tokens(file).refusal(f"Bearer {FIRST}", NOW) == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no token"),
        (b"# nothing\n", "holds no token"),
        (b"short\n", "line 1 is no token"),
        (b"\n" + b"a" * 20 + b" b c\n", "line 2 is no token"),
        ("ä".encode() * 16, "line 1 is no token"),
        (b"a" * 16 + b" soon", "when the token expires"),
        (b"a" * 16 + b" 2030-01-01T00:00", "without its zone"),
        (b"\xff\xfe", "cannot read tokens"),
        (b"a" * 70_000, "too large"),
    ],
)
def test_a_bad_file_is_refused_without_telling_its_content(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=says) as error:
        read_tokens(file)
    assert "aaaa" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_tokens(tmp_path / "tokens")
