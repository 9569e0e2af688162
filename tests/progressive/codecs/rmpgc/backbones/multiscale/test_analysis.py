from __future__ import annotations

import pytest
import torch
from frozen_rmpgc import frozen_tensors

from progressive.codecs.rmpgc.backbones.multiscale.analysis import Analysis
from progressive.codecs.rmpgc.backbones.multiscale.model import ANALYSIS, Model
from progressive.codecs.rmpgc.backbones.multiscale.scales import CHANNELS, STRIDES


def trained() -> Analysis:
    torch.manual_seed(0)
    made = Analysis()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    return made


@pytest.mark.parametrize("size", [(64, 64), (192, 128)])
def test_it_adds_to_every_coefficient(size: tuple[int, int]) -> None:
    photos = torch.rand(2, 3, *size)
    with torch.no_grad():
        added, nothing = trained()(photos), Analysis()(photos)
    for scale, (more, none) in enumerate(zip(added, nothing, strict=True)):
        assert more.shape == (2, CHANNELS[scale], *(n // STRIDES[scale] for n in size))
        assert more.abs().min() > 0
        assert not none.any()


def test_ids_do_not_depend_on_it_and_a_file_may_lack_it() -> None:
    """It is the encoder's alone: what was coded with another one opens, and looks the same."""
    tensors = dict(frozen_tensors())
    without = Model(tensors)
    having = Model(tensors | {ANALYSIS + name: t for name, t in trained().state_dict().items()})
    assert (having.id, having.synthesis_id, having.linear_id) == (without.id, without.synthesis_id, without.linear_id)
    photo = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain, more = without.analyse(photo), having.analyse(photo)
        assert all(torch.equal(a, b) for a, b in zip(plain, without.transform.analyse(photo), strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(plain, more, strict=True))
