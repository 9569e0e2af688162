"""Weights that grow: a larger model begins as the smaller one ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from frozen_rmpgc import frozen_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale import model as model_module
from progressive.codecs.rmpgc.backbones.multiscale import synthesis as synthesis_module
from progressive.codecs.rmpgc.backbones.multiscale.model import ARCHITECTURE, WEIGHTS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import STATES, Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.errors import UsageError
from progressive.training.rmpgc.export import read_model, take_over


def random_numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def of_size(monkeypatch: pytest.MonkeyPatch, depth: int, expanded: int) -> Synthesis:
    with monkeypatch.context() as sized:
        sized.setattr(synthesis_module, "DEPTH", depth)
        sized.setattr(synthesis_module, "EXPANDED", expanded)
        return Synthesis()


def trained(network: nn.Module) -> nn.Module:
    """Weights that are zero at first would hide what differs."""
    for number, parameter in enumerate(network.parameters()):
        parameter.data = 0.2 * (random_numbers(*parameter.shape, seed=number) - 0.5)
    return network


@pytest.mark.parametrize(("depth", "expanded"), [(3, 128), (3, 192), (4, 128), (5, 256)])
def test_a_grown_synthesis_gives_the_same_picture_at_first(
    depth: int, expanded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    smaller, larger = trained(of_size(monkeypatch, 3, 128)), of_size(monkeypatch, depth, expanded)
    take_over(larger, smaller.state_dict())
    linear, states = random_numbers(1, 3, 64, 128), torch.tensor([[[2, STATES - 1]]])
    with torch.inference_mode():
        expected = smaller(linear, states)
        monkeypatch.setattr(synthesis_module, "DEPTH", depth)
        found = larger(linear, states)
    assert not torch.allclose(expected, linear, atol=1e-3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_what_is_new_can_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    smaller, larger = trained(of_size(monkeypatch, 3, 128)), of_size(monkeypatch, 3, 192)
    take_over(larger, smaller.state_dict())
    body = larger.body[0]
    larger(random_numbers(1, 3, 64, 64), torch.zeros(1, 1, 1, dtype=torch.long)).square().mean().backward()
    assert body.narrow.weight.grad[:, 128:].any()


def test_tensors_that_are_larger_or_of_other_axes_are_left_out() -> None:
    target = nn.Linear(4, 3)
    nn.init.ones_(target.weight)
    nn.init.ones_(target.bias)
    take_over(target, {"weight": torch.zeros(2, 5), "bias": torch.full((2,), 7.0)})
    assert (target.weight == 1).all()
    assert target.bias.tolist() == [7, 7, 1]
    with pytest.raises(UsageError, match="none of the weights fits the linear of this version"):
        take_over(target, {"weight": torch.zeros(2, 2, 1), "else": torch.zeros(1)})


def saved(tensors: dict[str, Tensor], path: Path, architecture: str = ARCHITECTURE) -> Path:
    save_file({name: t.contiguous() for name, t in tensors.items()}, path, metadata={"architecture": architecture})
    return path


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return dict(frozen_model()._tensors)


def test_the_weights_of_a_file_are_those_that_training_begins_with() -> None:
    stored = load_file(WEIGHTS)
    _, transform, synthesis, _ = read_model(WEIGHTS)
    for prefix, module in ((model_module.TRANSFORM, transform), (model_module.SYNTHESIS, synthesis)):
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, stored[prefix + name]), name
        assert all(p.requires_grad for p in module.parameters())
        assert module.training


def test_the_file_of_a_smaller_synthesis_is_taken_over(
    tensors: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: t for name, t in tensors.items() if name.startswith("synthesis.")}
    size = synthesis_module.EXPANDED
    monkeypatch.setattr(synthesis_module, "EXPANDED", size + 32)
    _, transform, synthesis, _ = read_model(saved(tensors, tmp_path / "small.safetensors"))
    assert isinstance(transform, Transform)
    widened = synthesis.state_dict()["body.0.narrow.weight"]
    assert torch.equal(widened[:, :size], before["synthesis.body.0.narrow.weight"])
    assert not widened[:, size:].any()


def test_other_networks_and_architectures_are_refused_in_a_line(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    name = next(name for name in tensors if name.startswith("probability.") and name.endswith(".bias"))
    cut = {**tensors, name: tensors[name][:, :1]}
    without = {key: t for key, t in tensors.items() if key != name}
    for wrong in (cut, without):
        with pytest.raises(UsageError, match=r"other\.safetensors has other probability networks than this version"):
            read_model(saved(wrong, tmp_path / "other.safetensors"))
    with pytest.raises(UsageError, match=f"of the architecture old-1, this version has {ARCHITECTURE}"):
        read_model(saved(tensors, tmp_path / "old.safetensors", "old-1"))
