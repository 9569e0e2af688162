"""What is found out of a run before it begins."""

import re
from dataclasses import replace

import pytest

from progressive.errors import UsageError
from sender.options import SenderOptions
from sender.settings import SenderSettings
from sender.settled import settled

OPTIONS = SenderOptions("photo.png", "rmpgc", SenderSettings(50_000))


@pytest.mark.parametrize("every_s", [None, 1.0])
@pytest.mark.parametrize(
    "kind", [{"sealed": True}, {"headers": "long"}, {"headers": "short"}, {"sealed": True, "inner_parity": 32}]
)
def test_packets_that_are_too_small_are_told_their_true_least_size_at_once(
    kind: dict[str, object], every_s: float | None
) -> None:
    def run_with(packet_size: int) -> None:
        settings = replace(OPTIONS.settings, packet_size=packet_size, **kind)
        settled(replace(OPTIONS, settings=settings, every_s=every_s))

    named = set[int]()
    for packet_size in (1, 30, 39):
        with pytest.raises(UsageError, match="are too small") as refused:
            run_with(packet_size)
        named.add(int(re.search(r"use (\d+) or more", str(refused.value)).group(1)))
    (least,) = named
    run_with(least)
    with pytest.raises(UsageError, match=f"use {least} or more"):
        run_with(least - 1)
