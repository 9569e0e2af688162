"""The natural look: a second synthesis for the same streams, trained to look right where the first is true to pixels.

Its weights are a file of their own, for whoever asks for it. They go with one set of linear pictures, those of the
transform and points that they were trained on.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

from progressive.codecs.rmpgc.backbones.multiscale.synthesis import SHAPE, Synthesis
from progressive.errors import UsageError
from progressive.exact.weights import read_weights, unreadable
from progressive.weight_files import own_weight_files

WEIGHTS = Path(__file__).parents[4] / "weights" / "natural_look.safetensors"

NATURAL = "natural-1"
"""Names what the tensors are for; a file of another architecture is refused."""


def file_says(linear_id: bytes) -> dict[str, str]:
    """What a file for the linear pictures of this id says of itself."""
    return {"architecture": NATURAL, "synthesis": SHAPE, "linear pictures": linear_id.hex()}


def find_natural(linear_id: bytes) -> Synthesis:
    """The synthesis for the linear pictures of this id: the caller's own where there is one, else the shipped one.

    Raises UsageError as `load_natural` does.
    """
    for path in own_weight_files():
        with suppress(UsageError):
            return load_natural(linear_id, path)
    return load_natural(linear_id)


def load_natural(linear_id: bytes, path: Path = WEIGHTS) -> Synthesis:
    """The synthesis of a weight file.

    Raises UsageError if it is missing, damaged, of another architecture, or made for other linear pictures than these.
    """
    arrays, says = read_weights(path, "natural_look")
    for what, own in file_says(linear_id).items():
        found = says.get(what, "")
        if found != own:
            raise UsageError(
                f"the natural look {path} is of the {what} {found or 'without a name'}, this rmpgc has {own}: "
                "use the version it was trained with, or train a new one with "
                "'python -m progressive train natural_look --data DIR'"
            )
    synthesis = Synthesis()
    try:
        synthesis.load_state_dict({name: torch.from_numpy(array).float() for name, array in arrays.items()})
    except RuntimeError as error:
        raise unreadable(path, "natural_look", error) from error
    synthesis.eval().requires_grad_(False)
    return synthesis.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
