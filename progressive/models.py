"""Which codec, with which weights, decodes a stream: found by the codec's number and the model id in its header."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from progressive.codec import ProgressiveCodec
from progressive.entry_points import CODECS as ENTRY_POINTS
from progressive.entry_points import entry_points
from progressive.errors import BitstreamError, UsageError
from progressive.registry import CODECS, RECIPES, codec_name, codec_of_weights, load_codec, with_weights
from progressive.stream import FOREIGN, StreamHeader
from progressive.weight_files import (
    HOW_TO_GET,
    SHIPPED,
    SUFFIX,
    VARIABLE,
    architecture_of,
    find_weights,
    named_places,
    own_weight_files,
    put_first,
)

CODECS_VARIABLE = "PROGRESSIVE_CODECS"
"""Environment variable that names codecs of other packages, `module:Class`, with commas between them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A file of weights.

    Fields:
        name: to give to `--weights`.
        codec: that it is of; empty for a network that no codec owns.
        model_id: that streams made with it name; empty without a codec.
        path: of the file.
        summary: what it is for.
    """

    name: str
    codec: str
    model_id: bytes
    path: Path
    summary: str

    @property
    def card(self) -> Path | None:
        """Where it is described; None if nothing lies beside the file."""
        path = self.path.with_suffix(".md")
        return path if path.is_file() else None


def codec_of(header: StreamHeader, *, weights: str | None = None) -> ProgressiveCodec:
    """The codec with the model that made a stream.

    Weights come before others of the same model id in this order: those given, a file or a name, those that
    PROGRESSIVE_WEIGHTS names, the shipped ones.

    Raises BitstreamError, which says what is known and how to make more known, if none of the codecs or models here
    made it; UsageError if the weights that are given or named are not there.
    """
    files = [*(() if weights is None else (find_weights(weights),)), *own_weight_files()]
    foreign, needed, known = header.codec == FOREIGN, header.model_id.hex(), list[str]()
    for codec in _foreign(files) if foreign else _with_all_weights(codec_name(header.codec), files):
        if codec.model_id == header.model_id:
            return codec
        known.append(f"{codec.name} {codec.model_id.hex()}")
    here = ", ".join(dict.fromkeys(known)) or "none"
    if foreign:
        raise BitstreamError(
            f"the stream was made by a codec of another package, model {needed}; known here: {here}: install that "
            f"package, or name its codec by --codec module:Class or in {CODECS_VARIABLE}"
        )
    raise BitstreamError(
        f"the stream needs model {needed} of {codec_name(header.codec)}; known here: {here}: give its weights by "
        f"--weights FILE, or name their folder in {VARIABLE}"
    )


def name_of(header: StreamHeader) -> str:
    """The name of the codec that made a stream; raises BitstreamError if it is not known."""
    return codec_of(header).name if header.codec == FOREIGN else codec_name(header.codec)


def make_known(codec: str | None = None, weights: str | None = None) -> None:
    """Puts what a command line names before all else that decodes, in this process and those that it starts.

    Args:
        codec: a spec as `load_codec` takes it, such as the `module:Class` of another package's codec.
        weights: a file, or a name that `find_weights` finds.

    Raises UsageError if either cannot be found, or what PROGRESSIVE_CODECS or PROGRESSIVE_WEIGHTS names, or if any of
    them are no codec or no weights.
    """
    name, _, own = (codec or "").partition("@")
    if name:
        load_codec(name)
    if ":" in name:
        others = [other for other in _named_codecs() if other != name]
        os.environ[CODECS_VARIABLE] = ",".join([name, *others])
    for named in filter(None, (own, weights)):
        path = find_weights(named)
        if not _holds_weights(path):
            raise UsageError(f"{path} is no weight file of any codec, or a damaged one: {HOW_TO_GET}")
        put_first(path)
    _check_named()


def _check_named() -> None:
    """Raises UsageError if what PROGRESSIVE_CODECS names is no codec, or a file that PROGRESSIVE_WEIGHTS names, not
    just its folder, holds no weights."""
    for name in _named_codecs():
        try:
            load_codec(name)
        except UsageError as error:
            raise UsageError(f"{CODECS_VARIABLE}: {error}") from None
    for place in named_places():
        if place.is_dir() or architecture_of(place) or _holds_weights(place):
            continue
        raise UsageError(
            f"{VARIABLE} names {place}, which is no weight file of any codec, or a damaged one: give {SUFFIX} files "
            "that 'train' wrote, and folders of them"
        )


def installed_models() -> list[Model]:
    """The caller's own weights, then those that the project ships; files that are no codec's are left out.

    Raises UsageError for what PROGRESSIVE_WEIGHTS names, as `make_known` does.
    """
    _check_named()
    found = [model for path in own_weight_files() if (model := _identified(path)) is not None]
    for name, own in CODECS.items():
        if own.weights:
            path = SHIPPED / own.weights
            found.append(Model(path.stem, name, load_codec(name).model_id, path, f"{own.domain}, {own.rates}"))
    found += [Model(name, "", b"", SHIPPED / own.weights, own.summary) for name, own in RECIPES.items()]
    return found


def _identified(path: Path) -> Model | None:
    name = codec_of_weights(path)
    if name is None:
        return None
    own = CODECS[name]
    return Model(path.stem, name, with_weights(name, path).model_id, path, f"{own.domain}, {own.rates}")


def _holds_weights(path: Path) -> bool:
    """Whether any codec takes the weights of a file, of this project or of another package."""
    for name in _foreign_names():
        with suppress(UsageError):
            with_weights(name, path)
            return True
    return codec_of_weights(path) is not None


def _with_all_weights(name: str, files: Iterable[Path]) -> Iterator[ProgressiveCodec]:
    """The codec with each of the files that is one of its own, then as it is by itself."""
    for path in files:
        with suppress(UsageError):
            yield with_weights(name, path)
    yield load_codec(name)


def _foreign(files: Sequence[Path]) -> Iterator[ProgressiveCodec]:
    """Codecs of other packages, those that are named first, as far as they can be used."""
    for name in _foreign_names():
        with suppress(UsageError):
            yield from _with_all_weights(name, files)


def _foreign_names() -> list[str]:
    """Of codecs of other packages, whose files of weights may be anything."""
    return list(dict.fromkeys([*_named_codecs(), *entry_points(ENTRY_POINTS)]))


def _named_codecs() -> list[str]:
    return [name for name in os.environ.get(CODECS_VARIABLE, "").split(",") if name]
