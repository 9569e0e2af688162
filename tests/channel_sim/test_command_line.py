from conftest import CommandLine

from channel_sim.__main__ import main
from channel_sim.packet_words import KINDS
from channel_sim.presets import PRESETS
from channel_sim.spec import parse_channel


def test_presets_are_listed_with_what_they_do(call: CommandLine) -> None:
    outcome = call(main, "presets")
    assert outcome.status == 0
    lines = [line for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert all(str(parse_channel(line.split()[0])) in line for line in lines)


def test_parts_are_listed_with_all_they_take(call: CommandLine) -> None:
    outcome = call(main, "parts")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(KINDS)
    assert "rician:k=6dB,snr=12dB,doppler=10Hz  also angle=, block=" in lines
    for line, kind in zip(lines, KINDS.values(), strict=True):
        assert all(f"{key}=" in line for key in kind.keys if key != kind.first)


def test_an_unknown_command_is_one_line_and_status_2(call: CommandLine) -> None:
    outcome = call(main, "preset")
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
