import pytest

from progressive.errors import UsageError
from sender.rates import ASSUMED_BPS, parse_rate


def test_a_rate_is_given_or_followed():
    assert parse_rate("20kbps") == (20_000, False)
    for auto in ("auto", "Auto", " AUTO"):
        assert parse_rate(auto) == (ASSUMED_BPS, True)
    with pytest.raises(UsageError, match="bandwidth"):
        parse_rate("automatic")
