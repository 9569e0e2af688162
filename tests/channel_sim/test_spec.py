import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.link import LinkSettings
from channel_sim.presets import PRESETS
from channel_sim.spec import parse_channel
from progressive.errors import UsageError
from progressive.loss_model import LossModel


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ("none", LinkSettings()),
        ("ep5", LinkSettings(LossModel(0.214, 10))),
        ("loss:5%", LinkSettings(LossModel(0.05))),
        ("ge:loss=10%,burst=5", LinkSettings(LossModel(0.1, 5))),
        ("rate:50kbps,delay=80ms,jitter=10ms,queue=16kB", LinkSettings(None, 50_000, 0.08, 0.01, 16_000)),
        ("delay:1s", LinkSettings(delay_s=1)),
        ("ep2 + rate:1Mbps + queue:5kB", LinkSettings(LossModel(0.031, 1.6), 1e6, queue_bytes=5000)),
    ],
)
def test_a_spec_means_these_settings(spec: str, settings: LinkSettings) -> None:
    assert parse_channel(spec) == settings


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ep7", "'ep7': use none, ep1"),
        ("", "unknown part ''"),
        ("ep2+", "unknown part ''"),
        ("ep2+loss:3%", "'loss:3%' gives loss a second time"),
        ("delay:1s,delay=2s", "gives delay a second time"),
        ("ge:loss=10%", "lacks burst"),
        ("ge:loss=50%,burst=0.9", "mean burst"),
        ("ge:loss=10%,burst=many", "'many'"),
        ("ge:loss=10%,burst=inf", "'inf'"),
        ("rate:50", "'50' is not a bandwidth"),
        ("rate:50kbps,colour=red", "'colour=red' in .* use rate="),
        ("queue:5kB", "needs a rate"),
        ("loss:100%", "impossible"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_part_at_fault(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"channel {spec!r}: ") + ".*" + says):
        parse_channel(spec)


@given(st.text(alphabet="ep123geloss:=,+%. kbmsdratyqu", max_size=40))
def test_any_text_is_a_channel_or_refused_in_one_line(spec: str) -> None:
    try:
        parse_channel(spec)
    except UsageError as error:
        assert "\n" not in str(error)


def test_settings_are_echoed_in_words() -> None:
    assert str(parse_channel("ge:loss=10%,burst=5+rate:50kbps,delay=80ms")) == (
        "loss 10% in bursts of 5 packets, rate 50 kbit/s, delay 80 ms"
    )
    assert str(PRESETS["none"].settings) == "no impairment"
