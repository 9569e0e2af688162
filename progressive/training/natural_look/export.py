"""The weight file of the natural look."""

from __future__ import annotations

from pathlib import Path

from progressive.codecs.rmpgc.backbones.multiscale.natural import file_says
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.exact.weights import weight_file
from progressive.files import write_atomically


def write_look(out: Path, synthesis: Synthesis, linear_id: bytes) -> None:
    """Writes the weights of a synthesis that was trained on the linear pictures of this id; float16."""
    tensors = {name: t.detach().cpu().half() for name, t in synthesis.state_dict().items()}
    write_atomically(out, weight_file(tensors, file_says(linear_id)))
