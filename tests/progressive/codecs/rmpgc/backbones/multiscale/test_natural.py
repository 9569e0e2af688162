from __future__ import annotations

from pathlib import Path

import pytest
from frozen_rmpgc import frozen_model
from safetensors.torch import save

from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.natural import NATURAL, file_says, find_natural, load_natural
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import SHAPE, Synthesis
from progressive.errors import UsageError
from progressive.training.natural_look.export import write_look

LINEAR = bytes(range(8))


def test_weights_that_were_written_are_read_again(tmp_path: Path) -> None:
    write_look(tmp_path / "look.safetensors", Synthesis(), LINEAR)
    assert isinstance(load_natural(LINEAR, tmp_path / "look.safetensors"), Synthesis)


def test_a_look_of_ones_own_is_found_by_what_it_is_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESSIVE_WEIGHTS", str(tmp_path))
    write_look(tmp_path / "a.safetensors", Synthesis(), LINEAR[::-1])
    with pytest.raises(UsageError, match=LINEAR.hex()):
        find_natural(LINEAR)
    write_look(tmp_path / "b.safetensors", Synthesis(), LINEAR)
    assert isinstance(find_natural(LINEAR), Synthesis)


@pytest.mark.parametrize(
    ("says", "named"),
    [
        ({"architecture": "natural-0"}, ["natural-0", NATURAL]),
        ({"synthesis": "9x9/9"}, ["9x9/9", SHAPE]),
        ({"linear pictures": "00"}, ["00", LINEAR.hex()]),
    ],
)
def test_weights_for_something_else_are_refused_with_both_names(
    tmp_path: Path, says: dict[str, str], named: list[str]
) -> None:
    file = tmp_path / "look.safetensors"
    file.write_bytes(save(dict(Synthesis().state_dict()), metadata=file_says(LINEAR) | says))
    with pytest.raises(UsageError) as raised:
        load_natural(LINEAR, file)
    assert all(name in str(raised.value) for name in named)
    assert "\n" not in str(raised.value)


def test_missing_tensors_are_refused_in_one_line(tmp_path: Path) -> None:
    tensors = dict(Synthesis().state_dict())
    del tensors["leave.bias"]
    file = tmp_path / "look.safetensors"
    file.write_bytes(save(tensors, metadata=file_says(LINEAR)))
    with pytest.raises(UsageError, match="cannot read the weights"):
        load_natural(LINEAR, file)


def test_the_committed_look_goes_with_the_committed_codec_and_with_no_other() -> None:
    assert Model.load().synthesis_of("natural") is not Model.load().synthesis
    with pytest.raises(UsageError, match="train a new one"):
        frozen_model().synthesis_of("natural")
