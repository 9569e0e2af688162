from collections.abc import Iterator

import numpy as np
import pytest
from foreign_channel import Drawbridge
from numpy.random import SeedSequence

from channel_sim import kinds
from channel_sim.link import Link, LinkSettings
from channel_sim.spec import parse_channel
from experiments.links import open_links
from progressive import entry_points
from progressive.errors import UsageError


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    others = {"bridge": "foreign_channel:BRIDGE", "broken": "foreign_channel:Drawbridge", "gone": "nowhere:KIND"}
    for module in (kinds, entry_points):
        monkeypatch.setattr(module, "entry_points", lambda group: others if group == entry_points.CHANNELS else {})
    return


def test_a_part_of_another_package_is_a_part_like_any_other() -> None:
    settings = parse_channel("ep2+Bridge:2s,open=25%+delay:10ms")
    assert settings.further == (Drawbridge(2.0, 0.25),)
    assert settings.delay_s == 0.01
    assert "a drawbridge every 2 s" in str(settings)
    assert len(parse_channel("bridge:2s+bridge:3s").further) == 2


def test_it_loses_packets_and_makes_them_late() -> None:
    link = Link(LinkSettings(further=(Drawbridge(2.0),)), seed=0, start_s=0.0)
    assert link.send(bytes(500), 0.5) == []
    assert link.send(bytes(50), 0.5) == [(1.0, bytes(50))]
    assert link.send(bytes(500), 1.5) == [(1.5, bytes(500))]
    assert (link.statistics.lost, link.statistics.delivered) == (1, 2)


def test_experiments_have_it_too() -> None:
    links = open_links(LinkSettings(further=(Drawbridge(2.0),)), 3, 10, seed=SeedSequence(0))
    assert links.send(np.zeros(3), np.full(3, 50)).tolist() == [1.0, 1.0, 1.0]
    assert np.isinf(links.send(np.full(3, 2.5), np.full(3, 500))).all()


def test_links_without_one_draw_what_they_drew_before() -> None:
    def fates(settings: LinkSettings) -> list[bool]:
        link = Link(settings, seed=3)
        return [bool(link.send(b"x", 2.0 * n + 1.5)) for n in range(50)]

    assert fates(parse_channel("loss:30%")) == fates(parse_channel("loss:30%+bridge:2s"))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bridge:", "'' in 'bridge:' is not understood"),
        ("bridg:2s", r"did you mean bridge\? Use .*orbit:, bridge:"),
        ("broken:1", "is no channel_sim.words.Kind"),
        ("gone:1", "cannot import nowhere:KIND"),
    ],
)
def test_what_is_wrong_is_told(spec: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if spec.startswith("bridg"):
        for module in (kinds, entry_points):
            monkeypatch.setattr(module, "entry_points", lambda _group: {"bridge": "foreign_channel:BRIDGE"})
    with pytest.raises(UsageError, match=says):
        parse_channel(spec)
