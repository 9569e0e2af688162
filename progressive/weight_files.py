"""Where files of weights are: those that the project ships, and those that PROGRESSIVE_WEIGHTS names."""

from __future__ import annotations

import os
from pathlib import Path

from progressive.errors import UsageError
from progressive.suggestions import use_one_of

SHIPPED = Path(__file__).parent / "weights"
SUFFIX = ".safetensors"

VARIABLE = "PROGRESSIVE_WEIGHTS"
"""Environment variable that names files, and folders of files, as PATH does folders: the first ones come first."""

HOW_TO_GET = f"give a name that 'python -m progressive models' lists, or a {SUFFIX} file that 'train' wrote"


def named_places() -> list[Path]:
    """The files and folders that PROGRESSIVE_WEIGHTS names, in order; raises UsageError if one of them is not there."""
    places = [Path(written) for written in os.environ.get(VARIABLE, "").split(os.pathsep) if written]
    for place in places:
        if not place.exists():
            raise UsageError(f"{VARIABLE} names {place}, which is not there: give files and folders of {SUFFIX} files")
    return places


def own_weight_files() -> list[Path]:
    """The files that PROGRESSIVE_WEIGHTS names, and those of the folders that it names, in order.

    Raises UsageError if one of them is not there.
    """
    found: list[Path] = []
    for place in named_places():
        found += sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
    return list(dict.fromkeys(found))


def weight_files() -> list[Path]:
    """The caller's own files, then those that the project ships."""
    return [*own_weight_files(), *sorted(SHIPPED.glob(f"*{SUFFIX}"))]


def find_weights(name: str) -> Path:
    """The file at a path, or the one of a name, with or without `.safetensors`, where weights are looked for.

    Raises UsageError if it is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = {file.stem: file for file in reversed(weight_files())}
    if path.name == name and (stem := name.removesuffix(SUFFIX)) in known:
        return known[stem]
    advice = use_one_of(name.removesuffix(SUFFIX), sorted(known))
    raise UsageError(f"no weights {name!r}: {advice}, or a file, or name its folder in {VARIABLE}")


def architecture_of(path: Path) -> str:
    """What a weight file says that its tensors are made for; empty if it does not say, or is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return str((file.metadata() or {}).get("architecture", ""))
    except (SafetensorError, OSError):
        return ""


def put_first(file: Path) -> None:
    """From now on this file comes before all others, in this process and those that it starts."""
    others = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = os.pathsep.join(filter(None, (str(file.resolve()), others)))
