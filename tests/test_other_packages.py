"""What another package brings by its entry points, as it is installed: metadata beside the code, on the path."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CommandLine
from foreign_channel import Drawbridge

from channel_sim.__main__ import main as channel_sim
from channel_sim.spec import parse_channel
from experiments.case import System
from experiments.systems import check_system
from progressive import entry_points
from progressive.__main__ import main
from progressive.registry import load_codec
from progressive.transport.access import Access
from progressive.transport.schemes import open_receiver, open_sender
from sender.addresses import run_for
from sender.options import SenderOptions
from sender.remote import stream_photos
from sender.settings import SenderSettings

ENTRY_POINTS = """\
[progressive.codecs]
tiles = mosaic:Mosaic

[progressive.channels]
bridge = foreign_channel:BRIDGE

[progressive.transports]
pigeon = foreign_transport:PIGEON
"""


@pytest.fixture(autouse=True)
def dovecote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution, as `pip install --target` leaves it."""
    info = tmp_path / "dovecote-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dovecote\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples" / "own_codec"))
    monkeypatch.syspath_prepend(str(tmp_path))
    entry_points.entry_points.cache_clear()
    yield
    entry_points.entry_points.cache_clear()


def test_its_codec_is_known_by_name_to_the_library_to_lists_and_to_sweeps(call: CommandLine) -> None:
    assert load_codec("tiles").name == "mosaic"
    assert "tiles" in call(main, "codecs").out
    check_system(System("tiles", "planned"))


def test_its_channel_is_a_part_of_any_channel(call: CommandLine) -> None:
    assert parse_channel("ep2+bridge:2s").further == (Drawbridge(2.0),)
    assert "bridge:" in call(channel_sim, "parts").out


async def test_its_transport_carries_streams() -> None:
    assert run_for(SenderOptions("a.png", "rmpgc", SenderSettings(1e5), to=("pigeon://loft",))) is stream_photos
    loft = await open_receiver("pigeon://loft", Access(), print)
    hand = await open_sender("pigeon://loft", Access(), print)
    await hand.send(b"there")
    assert await loft.receive() == b"there"
