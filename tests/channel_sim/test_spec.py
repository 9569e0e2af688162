import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.link import Link, LinkSettings, Reordering
from channel_sim.loss import GilbertElliott, TimedBursts
from channel_sim.modem.settings import Modem
from channel_sim.packet_words import KINDS
from channel_sim.presets import PRESETS
from channel_sim.queue import CoDel
from channel_sim.radio.motion import SatellitePass, Straight, Waypoints
from channel_sim.radio.path_loss import FreeSpace, Hata, UrbanMicro
from channel_sim.radio.settings import (
    Budget,
    Nakagami,
    Radio,
    Rayleigh,
    Rician,
    Shadowing,
    TappedDelayLine,
    Variation,
)
from channel_sim.spec import channel_in_words, parse_channel
from progressive.errors import UsageError
from progressive.loss_model import LossModel

BLOCKS = Variation(block_s=0.005)


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ("none", LinkSettings()),
        ("ep5", LinkSettings(LossModel(0.214, 10))),
        ("EP5", LinkSettings(LossModel(0.214, 10))),
        ("Loss:5%", LinkSettings(LossModel(0.05))),
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
        ("pedestrain", r"unknown part 'pedestrain': did you mean pedestrian\? Use none, ep1"),
        ("los:5%", r"unknown part 'los:5%': did you mean loss\? Use none, ep1"),
        ("", "unknown part ''"),
        ("ep2+", "unknown part ''"),
        ("loss:2%+ge:loss=3%,burst=2", "'ge:loss=3%,burst=2' gives loss a second time"),
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
    assert str(parse_channel("awgn:3dB")) == "mean SNR 3 dB, adaptive modem in 1 MHz (10% lost, reports after 10 ms)"
    assert str(parse_channel("tdl:A,spread=30ns,bandwidth=5MHz,beta=2,snr=3dB,doppler=1Hz+modem:qpsk-1/2")) == (
        "mean SNR 3 dB, TDL-A fading in 5 MHz, delay spread 30 ns, beta 2, Doppler 1 Hz, modem qpsk-1/2 in 5 MHz"
    )


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        (
            "rayleigh:snr=12dB,doppler=10Hz+ge:loss=5%,burst=4+rate:50kbps,delay=80ms",
            LinkSettings(
                LossModel(0.05, 4),
                50_000,
                0.08,
                radio=Radio(mean_snr_db=12, fading=Rayleigh(Variation(doppler_hz=10))),
            ),
        ),
        ("awgn:10dB", LinkSettings(radio=Radio(mean_snr_db=10))),
        ("awgn:10dB+rician:6dB,block=5ms", LinkSettings(radio=Radio(mean_snr_db=10, fading=Rician(6, 90, BLOCKS)))),
        ("nakagami:m=2,snr=3dB,block=5ms", LinkSettings(radio=Radio(mean_snr_db=3, fading=Nakagami(2, BLOCKS)))),
        (
            "tdl:A,spread=100ns,bandwidth=1MHz,block=5ms,snr=3dB",
            LinkSettings(radio=Radio(mean_snr_db=3, fading=TappedDelayLine("A", 1e-7, 1e6, variation=BLOCKS))),
        ),
        (
            "umi:2GHz,sight=los,power=30dBm,bandwidth=180kHz+motion:from=100m,speed=36km/h+shadowing:4dB,distance=10m",
            LinkSettings(
                radio=Radio(
                    budget=Budget(UrbanMicro(2e9, line_of_sight=True), 30, 180e3),
                    motion=Straight(100, 10),
                    shadowing=Shadowing(4, 10),
                )
            ),
        ),
        (
            "hata:900MHz,environment=suburb,power=43dBm,bandwidth=180kHz+waypoints:0s@2km/60s@3km",
            LinkSettings(
                radio=Radio(
                    budget=Budget(Hata(9e8, environment="suburb"), 43, 180e3), motion=Waypoints((0, 60), (2e3, 3e3))
                )
            ),
        ),
        (
            "freespace:2GHz,power=50dBm,bandwidth=1MHz,gains=-3dB,noise=2dB+orbit:550km,peak=60deg,start=20",
            LinkSettings(
                radio=Radio(budget=Budget(FreeSpace(2e9), 50, 1e6, -3, 2), motion=SatellitePass(550e3, 60, 20))
            ),
        ),
        (
            "awgn:10dB+modem:qpsk-1/2,bandwidth=2MHz,report=20ms",
            LinkSettings(radio=Radio(mean_snr_db=10), modem=Modem(2e6, "qpsk-1/2", report_delay_s=0.02)),
        ),
        ("ge:loss=10%,burst=200ms", LinkSettings(TimedBursts(0.1, 0.2))),
        ("gilbert:p=2%,r=0.25,h=0,k=1", LinkSettings(GilbertElliott(0.02, 0.25))),
        ("ber:1e-5", LinkSettings(bit_error_rate=1e-5)),
        ("rate:1Mbps+codel", LinkSettings(rate_bps=1e6, codel=CoDel())),
        ("rate:1Mbps+codel:20ms,interval=200ms", LinkSettings(rate_bps=1e6, codel=CoDel(0.02, 0.2))),
        ("reorder:5%,late=50ms+duplicate:1%", LinkSettings(reordering=Reordering(0.05, 0.05), duplicates=0.01)),
    ],
)
def test_every_kind_of_part_has_its_words(spec: str, settings: LinkSettings) -> None:
    assert parse_channel(spec) == settings


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "trace"])
def test_the_example_that_a_refusal_recommends_is_understood(kind: str) -> None:
    example = KINDS[kind].example
    if kind in {"codel", "queue"}:
        example += "+delay:1ms,rate=1Mbps" if kind == "codel" else ",rate=1Mbps"
    elif kind in {"shadowing", "modem", "motion"}:
        example += "+awgn:10dB"
    elif kind in {"waypoints", "orbit"}:
        example += "+freespace:2GHz,power=30dBm,bandwidth=1MHz"
    elif kind in {"freespace", "logdistance", "hata", "uma", "umi"}:
        example += "+motion:from=1km"
    assert parse_channel(example) != LinkSettings()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ep2 + ep7", "column 7: unknown part 'ep7': use none, ep1"),
        ("ep7", "or one of loss:, ge:"),
        ("delay:1s+ge:loss=10%", "column 10: ge lacks burst: use ge:loss=10%,burst=5"),
        ("delay:-1ms", "column 7: '-1ms' is not a time: use a number of at least 0"),
        ("loss:-1%", "column 6: '-1%' is not a share: use a percentage of at least 0%"),
        ("nakagami:m=0.4,block=1s", "a Nakagami shape m of 0.4 is out of range: use 0.5 to 20"),
        ("nakagami:m=nan,block=1s", "'nan' is not a Nakagami shape: use m=0.5 to m=20"),
        ("rician:k=-60dB,block=1s", "a Rician K factor of -60 dB is out of range: use -40 to 40 dB"),
        ("rayleigh:3dB,doppler=1000000000Hz", "a Doppler frequency of 1e\\+09 Hz is out of range: use 0 to 100000 Hz"),
        ("rate:0kbps", "column 6: '0kbps' is not a bandwidth: use a number above zero"),
        ("rate:1e-300kbps", "a link's rate of 1e-297 bit/s is out of range: use 0.001 to 1e\\+15 bit/s"),
        ("rate:50kbps, queue=x", "column 14: 'x' is not a size"),
        ("rate:50kbps,colour=red", "column 13: 'colour=red' in"),
        ("loss:2%+loss:3%", "column 9: 'loss:3%' gives loss a second time"),
        ("pedestrian+awgn:3dB+awgn:4dB", "column 21: 'awgn:4dB' gives SNR a second time"),
        ("wifi+pedestrian", "column 6: 'pedestrian' gives delay a second time"),
        ("ep1+ep2", "column 5: 'ep2' gives loss a second time"),
        ("loss:120%", "column 1: a mean loss of 1.2 is impossible: use 0 up to"),
        ("ge:loss=10%,burst=0.5", "a mean burst of 0.5 packets is impossible: use 1 or more"),
        ("ge:loss=80%,burst=2", "no chain has loss 0.8 with bursts of only 2 packets: use bursts of 4 packets or more"),
        ("gilbert:p=120%,r=1", "p of 1.2 is out of range: use 0 to 1"),
        ("motion:from=10m,speed=-1m/s", "column 17: '-1m/s' is not a speed: use a number of at least 0"),
        ("x" * 1000, "unknown part 'x{60}': use none"),
        ("rayleigh:doppler=10Hz", "either a mean SNR or a link budget: give one, such as snr=12dB"),
        ("rayleigh:12dB", "fading needs a Doppler frequency such as doppler=10Hz"),
        ("tdl:A,snr=12dB,doppler=1Hz", "needs the bandwidth .*: bandwidth=1MHz"),
        ("freespace:2GHz,power=1dBm,bandwidth=1MHz", "needs a distance: .*motion:from=100m"),
        ("rician:snr=3dB,doppler=1Hz", "rician lacks k: use rician:k=6dB"),
        ("tdl:F,snr=3dB,doppler=1Hz,bandwidth=1MHz", "TDL-F: use A, B, C, D or E"),
        ("awgn:10dB+modem:qam", "no scheme 'qam': use auto, bpsk-1/2"),
        ("modem", "needs a radio channel"),
        ("ber:2", "a bit error rate of 2 is out of range: use 0 to 0.5"),
        ("reorder:5%", "reorder lacks late: use reorder:5%,late=50ms"),
        ("waypoints:0s=1km", "'0s=1km' in 'waypoints:0s=1km' is not understood"),
        ("waypoints:0s", "'0s' is no waypoint"),
        ("trace:no/such/file", "cannot read no/such/file"),
        ("nofile.toml", "cannot read nofile.toml"),
        ("trace:\x00", "cannot read '.x00': no file can have such a name"),
        ("\ud800.toml", "cannot read '.ud800.toml': no file can have such a name"),
    ],
)
def test_a_refusal_names_the_place_and_what_is_known(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refusal:
        parse_channel(spec)
    assert "\n" not in str(refusal.value)


def test_presets_are_known_however_they_are_written() -> None:
    assert parse_channel("EP4") == parse_channel("ep4")
    assert parse_channel("Pedestrian + delay:80ms") == parse_channel("pedestrian+delay:80ms")


def test_what_a_part_says_replaces_what_a_preset_chose() -> None:
    walker = PRESETS["pedestrian"].settings
    far = replace(walker, delay_s=0.2)
    assert parse_channel("pedestrian+delay:200ms") == parse_channel("delay:200ms+pedestrian") == far
    assert walker.radio is not None
    assert parse_channel("pedestrian+awgn:3dB").radio == replace(walker.radio, mean_snr_db=3)
    assert parse_channel("ep2+loss:1%") == LinkSettings(LossModel(0.01))
    assert parse_channel("pedestrian+ep2") == replace(walker, loss=LossModel(0.031, 1.6))


def test_one_of_two_ways_to_say_the_same_replaces_the_other_of_a_preset(tmp_path: Path) -> None:
    drone, walker = PRESETS["drone"].settings.radio, PRESETS["pedestrian"].settings.radio
    assert drone is not None
    assert walker is not None
    stated = replace(drone, mean_snr_db=3, budget=None, fading=Rayleigh(BLOCKS))
    assert parse_channel("drone+rayleigh:snr=3dB,block=5ms").radio == stated
    budget = Budget(FreeSpace(2e9), 10, 1e6)
    of_budget = parse_channel("pedestrian+freespace:2GHz,power=10dBm,bandwidth=1MHz").radio
    assert of_budget == replace(walker, mean_snr_db=None, budget=budget)
    (tmp_path / "link.up").write_text("5\n")
    on_trace = parse_channel(f"lora+trace:{tmp_path / 'link.up'}")
    assert on_trace.trace is not None
    assert on_trace == replace(PRESETS["lora"].settings, rate_bps=None, trace=on_trace.trace)


TOML = """
rayleigh = { snr = "12dB", doppler = "10Hz" }
codel = true
ep3 = true
duplicate = 0.01

[rate]
rate = "50kbps"
delay = "80ms"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text)
    return path


def test_toml_says_the_same_as_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, TOML)
    same = "rayleigh:snr=12dB,doppler=10Hz+codel+ep3+duplicate:1%+rate:50kbps,delay=80ms"
    assert parse_channel(str(path)) == parse_channel(same)
    assert parse_channel(f"{path}+jitter:5ms") == parse_channel(f"{same}+jitter:5ms")
    assert parse_channel(f"{path}+loss:1%") == parse_channel(f"{same}+loss:1%")
    with pytest.raises(UsageError, match=r"'delay:1s' gives delay a second time"):
        parse_channel(f"{path}+delay:1s")


@pytest.mark.parametrize("text", ['trace = "link.up"', '[trace]\npath = "link.up"'])
def test_a_trace_named_in_toml_lies_beside_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "link.up").write_text("5\n")
    trace = parse_channel(str(written(tmp_path, text))).trace
    assert trace is not None
    assert trace.length_s == 0.005


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('ge = { loss = "10%" }', r"my.toml: \[ge\]: ge lacks burst"),
        ('[ge]\nloss = "10%"\nburst = "x"', r"my.toml: \[ge\] burst: 'x' is not a mean burst"),
        ('[ge]\nloss = "10%"\nsize = 1', r"\[ge\] size: 'size = 1' in 'ge' is not understood: use loss=..., burst=..."),
        ("colour = 1", r"unknown part 'colour': use none, ep1"),
        ("codel = false", "codel: 'False' is not understood"),
        ('rate = ["1kbps"]', "rate: .* is not understood: use text"),
        ("a = 1\nrate = x", "my.toml is not TOML: Invalid value .*line 2"),
        ('"my.toml" = true', "unknown part 'my.toml'"),
    ],
)
def test_a_broken_toml_file_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_channel(str(written(tmp_path, text)))


def test_every_preset_carries_a_photo_and_names_its_source() -> None:
    for name, preset in PRESETS.items():
        assert preset.source
        link = Link(parse_channel(name), seed=1)
        arrived = sum(bool(link.send(bytes(1100), 0.176 * slot)) for slot in range(60))  # 10 s of 50 kbit/s
        assert arrived >= 30


def test_a_named_channel_is_told_by_its_name_and_what_it_stands_for() -> None:
    assert channel_in_words(" EP4 ") == f"ep4: {PRESETS['ep4'].summary}"
    assert channel_in_words("loss:20%") == "loss:20%"
