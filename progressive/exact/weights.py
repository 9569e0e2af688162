"""Weight files: read within bounds, and named by eight bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from progressive.errors import UsageError
from progressive.files import read_bytes

if TYPE_CHECKING:
    from torch import Tensor

MAX_WEIGHT_BYTES = 10 * 2**20

Array = NDArray[np.generic]


def read_weights(path: Path, codec: str) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors of a codec's weight file, and what it says of them by itself, such as their `architecture`.

    Raises UsageError if the file cannot be read.
    """
    data = read_bytes(path, limit=MAX_WEIGHT_BYTES)
    try:
        return load(data), _metadata(data)
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise unreadable(path, codec, error) from error


def check_made_for(path: Path, says: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Raises UsageError, with both names, unless a weight file says of itself what this version has.

    Args:
        path: of the file.
        says: what `read_weights` gave.
        own: what it should say: the `architecture`, and whatever else names shapes.
    """
    for what, name in own.items():
        found = says.get(what, "")
        if found != name:
            raise UsageError(
                f"the weights {path} are of the {what} {found or 'without a name'}, this version has {name}: "
                "use the version they were trained with, or train new ones"
            )


def weight_file(tensors: Mapping[str, Tensor], says: Mapping[str, str]) -> bytes:
    """The content of a weight file: tensors, and what is said of them; equal for equal tensors and words."""
    from safetensors.torch import save

    data = save({name: tensor.cpu().contiguous() for name, tensor in sorted(tensors.items())}, metadata=dict(says))
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(says.items()))  # which safetensors writes in an order of chance
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def unreadable(path: Path, codec: str, error: Exception) -> UsageError:
    """What to say of a weight file that is damaged, or another model's."""
    return UsageError(
        f"cannot read the weights {path} ({error}): reinstall the package, or train them with "
        f"'python -m progressive train {codec} --data DIR'"
    )


def fingerprint(tensors: Mapping[str, Array | Tensor], names: Iterable[str], constants: str = "") -> bytes:
    """Eight bytes that name these tensors, and whatever else `constants` says; the same on every machine."""
    digest = hashlib.sha256(constants.encode())
    for name in sorted(names):
        array = np.asarray(tensors[name])
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:8]


def _metadata(data: bytes) -> dict[str, str]:
    size = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    return found
