from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from progressive.exact.weights import read_weights, weight_file


def test_equal_tensors_and_words_give_equal_files_whatever_their_order(tmp_path: Path) -> None:
    tensors = {name: torch.arange(size) / 3 for name, size in (("b", 3), ("a", 4), ("c", 1))}
    says = {f"word {n}": "x" * n for n in range(9)}
    files = {weight_file(dict(reversed(tensors.items())), dict(reversed(says.items()))) for _ in range(20)}
    assert files == {weight_file(tensors, says)}
    path = tmp_path / "weights.safetensors"
    path.write_bytes(files.pop())
    read, said = read_weights(path, "none")
    assert said == says
    assert all(np.array_equal(read[name], tensor.numpy()) for name, tensor in tensors.items())
