from pathlib import Path
from typing import Any

import pytest
from conftest import CommandLine
from matplotlib.figure import Figure
from PIL import Image

from channel_sim.__main__ import main
from channel_sim.link import Fate
from channel_sim.show import Watch, draw
from channel_sim.spec import parse_channel


def test_packets_are_offered_as_fast_as_the_link_takes_them_or_at_a_bandwidth() -> None:
    settings = parse_channel("rate:88kbps,delay=1s")  # 1,100 bytes take 0.1 s
    assert [p.offered_s for p in Watch(settings, duration_s=0.5).passages()] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    slow = Watch(settings, duration_s=1, bandwidth_bps=22e3).passages()
    assert [p.offered_s for p in slow] == pytest.approx([0, 0.4, 0.8])
    assert [p.arrivals[0][0] for p in slow] == pytest.approx([1.1, 1.5, 1.9])
    assert len(Watch(parse_channel("delay:1s"), duration_s=1.75).passages()) == 10  # 50 kbit/s


def test_what_is_watched_is_the_link_of_the_seed() -> None:
    watch = Watch(parse_channel("loss:30%"), duration_s=20, seed=1)
    fates = [passage.fate for passage in watch.passages()]
    assert fates == [passage.fate for passage in watch.passages()]
    assert 0.15 < fates.count(Fate.LOST) / len(fates) < 0.45


@pytest.mark.parametrize("spec", ["rayleigh:snr=12dB,doppler=10Hz", "ep3+rate:50kbps", "none", "awgn:-30dB", "orbit"])
def test_a_figure_and_a_line_that_sums_it_up(call: CommandLine, tmp_path: Path, spec: str) -> None:
    if spec == "orbit":  # rises, passes and sets: no signal at the end
        spec = "freespace:2GHz,power=60dBm,bandwidth=100kHz+orbit:600km,start=0,peak=5"
    path = tmp_path / "plot.png"
    outcome = call(main, "show", spec, "-o", path, "--for", "3s", "--packet-size", "500B")
    assert outcome.status == 0, outcome.err
    assert "delivered" in outcome.out or "lost" in outcome.out
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) >= 500


def test_panels_show_all_of_their_curves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Below the upper edge even where nothing varies, and clear of the legend."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *given: Any, **named: Any) -> None:
        figures.append(figure)
        save(figure, *given, **named)

    monkeypatch.setattr(Figure, "savefig", keep)
    draw(Watch(parse_channel("rate:50kbps,delay=80ms"), duration_s=3), "steady", tmp_path / "plot.png")
    rates, delays, _ = figures[0].axes
    for axes, highest in ((rates, 52.8), (delays, 256)):
        assert axes.dataLim.ymax == pytest.approx(highest)
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] >= 1.05 * highest
    legend = rates.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y0 >= rates.get_window_extent().y1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ep9",), "column 1: unknown part"),
        (("ep1", "--for", "0s"), "more than 0 s, up to 24 h"),
        (("ep1", "--packet-size", "0"), "use 1 to 65507"),
        (("ep1", "--bandwidth", "10Gbps", "--for", "1min"), "use a shorter --for"),
        (("ep1", "-o", "/no/such/folder/plot.png"), "cannot write"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_leaves_nothing(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("channel_sim.show.MAX_PACKETS", 100)
    outcome = call(main, "show", *arguments)
    assert outcome.status == 2
    assert says in outcome.err
    assert list(tmp_path.iterdir()) == []
