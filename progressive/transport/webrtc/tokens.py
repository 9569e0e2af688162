"""Bearer tokens (RFC 6750): who shows one of them, before it expires, may join."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from progressive.errors import UsageError

MAX_FILE_BYTES = 1 << 16
SHORTEST = 16
"""Fewest characters of a token: 80 bits and more if they are random, beyond guessing over a network."""

FORM = f"a token of at least {SHORTEST} letters, digits or -._~+/=, then perhaps when it expires: 2030-01-31T18:00Z"
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `expires` is the time from which on it is refused, None for never."""

    text: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a file; the first is the one that a receiver shows."""

    tokens: Sequence[Token]

    @property
    def header(self) -> str:
        """What a receiver puts into `Authorization`."""
        return f"Bearer {self.tokens[0].text}"

    def refusal(self, header: str | None, now: datetime) -> str:
        """Why an `Authorization` header lets nobody in at `now`; empty if it does."""
        kind, _, shown = (header or "").partition(" ")
        if kind.lower() != "bearer" or not shown:
            return "a token is needed: give --token-file, or #token=.. in the page's address"
        # Bytes that are no UTF-8 come as surrogates, which a plain encode() refuses.
        shown_bytes = shown.strip().encode(errors="surrogateescape")
        # Every token is compared, in constant time, so that how long it takes tells nothing.
        matching = [token for token in self.tokens if hmac.compare_digest(token.text.encode(), shown_bytes)]
        if not matching:
            return "the token is wrong"
        if all(token.expires is not None and token.expires <= now for token in matching):
            return "the token has expired"
        return ""


def read_tokens(path: Path) -> Tokens:
    """Reads a file with one token a line; empty lines and those that begin with # are skipped.

    Raises UsageError if it cannot be read, holds none, or a line is neither a token nor a token and a time.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read tokens from {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > MAX_FILE_BYTES:
        raise UsageError(f"{path} is too large for a file of tokens: at most {MAX_FILE_BYTES} bytes are read")
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    tokens = [_parse(words, f"{path}, line {number}") for number, words in lines if words and words[0][0] != "#"]
    if not tokens:
        raise UsageError(f"{path} holds no token: write {FORM}")
    return Tokens(tokens)


def _parse(words: Sequence[str], place: str) -> Token:
    # The message never repeats the line: it may hold a secret.
    if len(words) > 2 or len(words[0]) < SHORTEST or not _TOKEN.fullmatch(words[0]):
        raise UsageError(f"{place} is no token: write {FORM}")
    if len(words) == 1:
        return Token(words[0])
    try:
        expires = datetime.fromisoformat(words[1])
    except ValueError:
        raise UsageError(f"{place} does not say when the token expires: write {FORM}") from None
    if expires.tzinfo is None:
        raise UsageError(f"{place} gives a time without its zone: end it with Z or an offset such as +02:00")
    return Token(words[0], expires)
