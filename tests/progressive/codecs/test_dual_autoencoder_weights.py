"""Weight files that are damaged, or of something else, are refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from progressive.codecs.dual_autoencoder.model import WEIGHTS, Model
from progressive.errors import UsageError
from progressive.photos import sample_photo, write_png
from progressive.training.dual_autoencoder.recipe import train


@pytest.mark.parametrize(
    "damage",
    ["missing", "empty", "cut", "another model", "no table", "wrong shape", "wrong filter", "wrong sum", "not finite"],
)
def test_damaged_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path, tensors = tmp_path / "a.safetensors", load_file(WEIGHTS)
    match damage:
        case "empty":
            path.touch()
        case "cut":
            path.write_bytes(WEIGHTS.read_bytes()[:-1000])
        case "another model":
            save_file({"weight": np.zeros(3, np.float32)}, path)
        case "no table":
            del tensors["tables.luma.0.calm"]
        case "wrong shape":
            tensors["luma.g1_decoder"] = tensors["luma.g1_decoder"][:3]
        case "wrong filter":
            tensors["filter.first.bias"] = tensors["filter.first.bias"][:3]
        case "wrong sum":
            tensors["tables.chroma.base"] = tensors["tables.chroma.base"] + np.uint16(1)
        case "not finite":
            tensors["luma.g2"] = tensors["luma.g2"] * np.float32(np.nan)
    if damage not in {"missing", "empty", "cut", "another model"}:
        save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path)
    with pytest.raises(UsageError, match="cannot read") as refusal:
        Model.load(path)
    assert "\n" not in str(refusal.value)
    write_png(tmp_path / "photo.png", sample_photo()[:64, :64])
    with pytest.raises(UsageError, match="cannot read|nothing to resume"):
        train([tmp_path], path, resume=True, log=print)


def test_the_committed_weights_are_whole() -> None:
    assert Model.load().tensors.keys() == load_file(WEIGHTS).keys()
